// attention, head by head: a block of queries against all keys, softmax of the block's rows while
// they are in the cache, then the product with the values. The attention matrix is never in memory.
// bf16 operands are multiplied as pairs where the machine can, in tiles (attention_tiles.h) or
// vectors (attention_rows.h, attention_columns.h); elsewhere they are widened to f32.
#include <omp.h>

#include "backends/cpu/attention_columns.h"
#include "backends/cpu/attention_rows.h"
#include "backends/cpu/attention_tiles.h"
#include "backends/cpu/emulated_tiles.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"

namespace grimace::cpu {
namespace {

// Head: how one is computed, and as what; X: what the operands are made of, which differs from
// that where bf16 is widened.
template <typename Head, typename X>
Kernel make(const Node& node, const Operands& operands, const Context& cpu) {
  const HeadLayout heads(node, node.num_inputs());
  const Head forward(heads.s, static_cast<float>(node.real("scale")), cpu.isa);
  const HeadPieces work(cpu, heads.count(), heads.s.queries, forward.block);
  std::array<const X*, 3> in{};
  for (size_t i = 0; i < operands.in.size(); ++i) in[i] = operands.in[i].as<X>().data();
  const Widener<typename Head::Operand, X> widener;
  const auto carve = [=](std::byte* memory) {
    Carver carver(memory);
    auto scratch = std::pair(forward.carve(carver, heads.s), widener.carve(carver, heads.s));
    return std::pair(scratch, carver.used());
  };
  const int64_t bytes = carve(nullptr).second;
  cpu.workspace->reserve(cpu.threads * bytes);
  return [=, y = operands.out[0].as<X>().data()] {
    auto* memory = cpu.workspace->as<std::byte>();
    parallel_for(cpu, work.count(), 1, [=](int64_t begin, int64_t end) {
      const auto [scratch, wide] = carve(memory + omp_get_thread_num() * bytes).first;
      [[maybe_unused]] const typename Head::Session session{};
      work.for_each(begin, end, [&](int64_t head, int64_t first, int64_t rows) {
        forward.head(scratch, widener(wide, 0, heads.part(0, in.data(), head).part(first, rows)),
                     widener(wide, 1, heads.part(1, in.data(), head)),
                     widener(wide, 2, heads.part(2, in.data(), head)),
                     heads.result(y, head).part(first, rows));
      });
    });
  };
}

}  // namespace

bool serves_attention(const Node& node) {
  return node.in(0).dtype == DType::f32 || node.in(0).dtype == DType::bf16;
}

Kernel make_attention(const Node& node, const Operands& operands, const Context& cpu) {
  const ops::AttentionShape s = ops::attention_shape(node, node.num_inputs());
  if (s.empty()) return reference_kernel(node, operands);
  switch (head_kind(node.in(0).dtype, s, cpu)) {
    case HeadKind::columns:
      return make<ColumnsForward<float>, float>(node, operands, cpu);
    case HeadKind::widened_columns:
      return make<ColumnsForward<float>, bf16>(node, operands, cpu);
    case HeadKind::paired_columns:
      return make<ColumnsForward<bf16>, bf16>(node, operands, cpu);
    case HeadKind::tiles:
      return make<TiledForward<AmxTiles>, bf16>(node, operands, cpu);
    case HeadKind::emulated:
      return make<TiledForward<EmulatedTiles>, bf16>(node, operands, cpu);
    case HeadKind::rows:
      break;
  }
  return make<RowsForward, bf16>(node, operands, cpu);
}

}  // namespace grimace::cpu
