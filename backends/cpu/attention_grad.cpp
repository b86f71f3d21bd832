// attention_grad, head by head: for a block of queries the weights are computed again, and dw
// beside them; both stay in the cache for the products that make dq of the block and add to dk and
// dv. Where threads share a head, each has its own sums for dk and dv, added in order at the end.
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
class Gradients {
 public:
  Gradients(const Node& node, const Operands& operands, const Context& context)
      : cpu_(context),
        heads_(node, node.num_inputs() - 1),
        head_(heads_.s, static_cast<float>(node.real("scale")), context.isa),
        work_(context, heads_.count(), heads_.s.queries, head_.block),
        dy_(operands.in.back().as<X>().data()) {
    for (size_t i = 0; i < operands.out.size(); ++i) {
      in_[i] = operands.in[i].as<X>().data();
      out_[i] = operands.out[i].as<X>().data();
    }
    bytes_ = carve(nullptr).second;
    const int64_t sums = work_.pieces() == 1 ? 0 : work_.count() * floats_ * 4;
    cpu_.workspace->reserve(cpu_.threads * bytes_ + sums);
  }

  void operator()() const {
    auto* memory = cpu_.workspace->as<std::byte>();
    auto* sums = reinterpret_cast<float*>(memory + cpu_.threads * bytes_);
    parallel_for(cpu_, work_.count(), 1, [this, memory, sums](int64_t begin, int64_t end) {
      auto [scratch, wide] = carve(memory + omp_get_thread_num() * bytes_).first;
      [[maybe_unused]] const typename Head::Session session{};
      for (int64_t item = begin; item < end; ++item) {
        if (work_.pieces() > 1) {
          scratch.dk = sums + item * floats_;
          scratch.dv = scratch.dk + floats_ / 2;
        }
        work_.for_each(item, item + 1, [&](int64_t head, int64_t first, int64_t rows) {
          piece(scratch, wide, head, first, rows);
        });
      }
    });
    if (work_.pieces() > 1)
      parallel_for(cpu_, heads_.count(), 1, [this, sums](int64_t begin, int64_t end) {
        for (int64_t head = begin; head < end; ++head) add_pieces(head, sums);
      });
  }

 private:
  using Scratch = typename Head::Scratch;
  using Wide = Widener<typename Head::Operand, X>;

  auto carve(std::byte* memory) const {
    Carver carver(memory);
    auto scratch = std::pair(head_.carve(carver, heads_.s), Wide().carve(carver, heads_.s));
    return std::pair(scratch, carver.used());
  }
  void piece(const Scratch& scratch, const typename Wide::Copies& wide, int64_t head, int64_t first,
             int64_t rows) const {
    const Wide widener;
    head_.head(scratch,
               std::array{widener(wide, 0, heads_.part(0, in_.data(), head).part(first, rows)),
                          widener(wide, 1, heads_.part(1, in_.data(), head)),
                          widener(wide, 2, heads_.part(2, in_.data(), head)),
                          widener(wide, 3, heads_.result(dy_, head).part(first, rows))},
               heads_.part(0, out_.data(), head).part(first, rows));
    if (work_.pieces() == 1) store_sums(head, scratch.dk);
  }
  void add_pieces(int64_t head, float* sums) const {
    float* total = sums + head * work_.pieces() * floats_;
    for (int64_t p = 1; p < work_.pieces(); ++p)
      for (int64_t i = 0; i < floats_; ++i) total[i] += total[p * floats_ + i];
    store_sums(head, total);
  }
  void store_sums(int64_t head, const float* sums) const {
    Head::store_sums(sums, heads_.part(1, out_.data(), head), heads_.part(2, out_.data(), head));
  }

  Context cpu_;
  HeadLayout heads_;
  Head head_;
  HeadPieces work_;
  const X* dy_;
  std::array<const X*, 3> in_{};
  std::array<X*, 3> out_{};
  int64_t bytes_ = 0;                            // scratch of a thread
  int64_t floats_ = Head::sum_floats(heads_.s);  // of a piece's dk and dv
};

}  // namespace

Kernel make_attention_grad(const Node& node, const Operands& operands, const Context& cpu) {
  const ops::AttentionShape s = ops::attention_shape(node, node.num_inputs() - 1);
  if (s.empty()) return reference_kernel(node, operands);
  switch (head_kind(node.in(0).dtype, s, cpu)) {
    case HeadKind::columns:
      return Gradients<ColumnsBackward<float>, float>(node, operands, cpu);
    case HeadKind::widened_columns:
      return Gradients<ColumnsBackward<float>, bf16>(node, operands, cpu);
    case HeadKind::paired_columns:
      return Gradients<ColumnsBackward<bf16>, bf16>(node, operands, cpu);
    case HeadKind::tiles:
      return Gradients<TiledBackward<AmxTiles>, bf16>(node, operands, cpu);
    case HeadKind::emulated:
      return Gradients<TiledBackward<EmulatedTiles>, bf16>(node, operands, cpu);
    case HeadKind::rows:
      break;
  }
  return Gradients<RowsBackward, bf16>(node, operands, cpu);
}

}  // namespace grimace::cpu
