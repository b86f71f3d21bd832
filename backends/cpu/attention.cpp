// attention, head by head: a block of queries against all keys, softmax of the block's rows while
// they are in the cache, then the product with the values. The attention matrix is never in memory.
// bf16 operands are multiplied as pairs where the machine can, in tiles
// (attention_tiles.h) or vectors; elsewhere they are widened to f32.
#include <omp.h>

#include "backends/cpu/attention_tiles.h"
#include "backends/cpu/emulated_tiles.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"
#include "ir/interpret.h"

namespace grimace::cpu {
namespace {

// e^(scale x) through the largest of them, as T, with zeros up to a whole vector (the product may
// read a step beyond the last key); returns 1 / sum. `x` is overwritten.
template <typename T>
inline float weigh_row(float* x, T* out, int64_t keys, float scale) {
  const int64_t columns = whole_vectors(keys);
  if constexpr (std::is_same_v<T, bf16>) {
    return 1.0f / softmax_row(x, keys, columns, scale, out);
  } else {
    const float sum = exponentials(x, keys, scale);
    std::fill(out + keys, out + columns, 0.0f);
    return 1.0f / sum;
  }
}

template <typename T>
struct Forward {
  using Operand = T;
  struct Session {};
  Forward(const ops::AttentionShape& s, float scale_of_scores, Isa of_run)
      : isa(of_run),
        product(isa, std::is_same_v<T, bf16>),
        scale(scale_of_scores),
        block(query_block(s)) {}

  Isa isa;
  TileProduct product;
  float scale;
  int64_t block;

  struct Scratch {
    Word<T>*keys, *values;
    float *scores, *sums, *norm;
    T* weights;  // of f32: the scores themselves
  };
  Scratch carve(Carver& memory, const ops::AttentionShape& s) const {
    const int64_t columns = whole_vectors(s.keys);
    Scratch scratch{};
    scratch.keys = memory.take<Word<T>>(columns * steps_of<T>(s.width));
    scratch.values = memory.take<Word<T>>(whole_vectors(s.width) * steps_of<T>(s.keys));
    scratch.scores = memory.take<float>(block * columns);
    scratch.sums = memory.take<float>(block * whole_vectors(s.width));
    scratch.norm = memory.take<float>(block);
    if constexpr (std::is_same_v<T, float>)
      scratch.weights = scratch.scores;
    else
      scratch.weights = memory.take<T>(block * columns);
    return scratch;
  }

  template <typename Y>
  void head(const Scratch& scratch, const HeadRows<const T>& q, const HeadRows<const T>& k,
            const HeadRows<const T>& v, const HeadRows<Y>& y) const {
    const int64_t columns = whole_vectors(k.rows);
    const int64_t width = whole_vectors(v.width);
    pack_transposed(isa, k, product.panel(), scratch.keys);
    pack_rows(v, product.panel(), scratch.values);
    for (int64_t first = 0; first < q.rows; first += block) {
      const int64_t rows = std::min(block, q.rows - first);
      product.run(rows, columns, steps_of<T>(q.width), q.operand(first), scratch.keys,
                  scratch.scores, columns, false);
      for (int64_t r = 0; r < rows; ++r)
        scratch.norm[r] =
            weigh_row(scratch.scores + r * columns, scratch.weights + r * columns, k.rows, scale);
      const HeadRows<const T> weights{scratch.weights, rows, k.rows, columns};
      product.run(rows, width, steps_of<T>(k.rows), weights.operand(), scratch.values, scratch.sums,
                  width, false);
      for (int64_t r = 0; r < rows; ++r)
        store_row<T>(scratch.sums + r * width, v.width, scratch.norm[r], y.row(first + r));
    }
  }
};

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
  if (s.empty())
    return [&node, in = operands.in, out = operands.out] { run_reference(node, in, out); };
  if (node.in(0).dtype == DType::f32) return make<Forward<float>, float>(node, operands, cpu);
  if (!uses_pairs(cpu, s)) return make<Forward<float>, bf16>(node, operands, cpu);
  if (cpu.isa == Isa::amx) return make<TiledForward<AmxTiles>, bf16>(node, operands, cpu);
  if (cpu.isa == Isa::amx_emulated)
    return make<TiledForward<EmulatedTiles>, bf16>(node, operands, cpu);
  return make<Forward<bf16>, bf16>(node, operands, cpu);
}

}  // namespace grimace::cpu
