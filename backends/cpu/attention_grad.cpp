// attention_grad, head by head: for a block of queries the weights are computed again, and dw
// beside them; both stay in the cache for the products that make dq of the block and add to dk and
// dv.
#include <omp.h>

#include "backends/cpu/attention_tiles.h"
#include "backends/cpu/emulated_tiles.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"
#include "ir/interpret.h"

namespace grimace::cpu {
namespace {

// x becomes the weights softmax(scale x), dw becomes the gradient of x.
inline void softmax_row_back(float* x, float* dw, int64_t keys, float scale) {
  const float norm = 1.0f / exponentials(x, keys, scale);
  const float mean = norm * lane_sum(keys, [x, dw](int64_t c) { return x[c] * dw[c]; });
#pragma GCC ivdep
  for (int64_t c = 0; c < keys; ++c) {
    x[c] *= norm;
    dw[c] = scale * x[c] * (dw[c] - mean);
  }
}

template <typename T>
struct Backward {
  using Operand = T;
  struct Session {};
  Backward(const ops::AttentionShape& s, float scale_of_scores, Isa isa)
      : product(isa, std::is_same_v<T, bf16>), scale(scale_of_scores), block(query_block(s)) {}

  TileProduct product;
  float scale;
  int64_t block;  // even

  struct Scratch {
    Word<T>*keys, *values;  // columns are keys
    Word<T>* keys_by_row;   // columns are k's own
    Word<T>*queries, *dy;   // of the block; columns are q's and dy's own
    float *scores, *dscores;
    Word<T>*zip, *dzip;  // the same with pairs of queries as words; of f32 the same memory
    T* ds;               // dscores row by row; of f32 the same memory
    float *dq, *dk, *dv;
  };
  Scratch carve(Carver& memory, const ops::AttentionShape& s) const {
    const int64_t columns = whole_vectors(s.keys);
    const int64_t width = whole_vectors(s.width);
    Scratch scratch{};
    scratch.keys = memory.take<Word<T>>(columns * steps_of<T>(s.width));
    scratch.values = memory.take<Word<T>>(columns * steps_of<T>(s.width));
    scratch.keys_by_row = memory.take<Word<T>>(width * steps_of<T>(s.keys));
    scratch.queries = memory.take<Word<T>>(width * steps_of<T>(block));
    scratch.dy = memory.take<Word<T>>(width * steps_of<T>(block));
    scratch.scores = memory.take<float>(block * columns);
    scratch.dscores = memory.take<float>(block * columns);
    if constexpr (std::is_same_v<T, float>) {
      scratch.zip = scratch.scores;
      scratch.dzip = scratch.ds = scratch.dscores;
    } else {
      scratch.zip = memory.take<Word<T>>(steps_of<T>(block) * columns);
      scratch.dzip = memory.take<Word<T>>(steps_of<T>(block) * columns);
      scratch.ds = memory.take<T>(block * columns);
    }
    scratch.dq = memory.take<float>(block * width);
    scratch.dk = memory.take<float>(columns * width);
    scratch.dv = memory.take<float>(columns * width);
    return scratch;
  }

  // Rows r, r + 1, ... of a word: scores and dscores become weights and gradients, and these the
  // operands of products along keys and along queries.
  void word_of_rows(const Scratch& s, int64_t r, int64_t rows, int64_t columns,
                    int64_t keys) const {
    float* w = s.scores + r * columns;
    float* d = s.dscores + r * columns;
    if constexpr (std::is_same_v<T, bf16>) {
      const int64_t word = r / 2 * columns;
      softmax_pair_back(
          w, d, columns, std::min<int64_t>(2, rows - r), keys, columns, scale,
          {s.zip + word, s.dzip + word, kVector, {s.ds + r * columns, s.ds + (r + 1) * columns}});
    } else {
      softmax_row_back(w, d, keys, scale);
    }
  }

  template <typename Y>
  void head(const Scratch& s, const std::array<HeadRows<const T>, 4>& in,
            const std::array<HeadRows<Y>, 3>& out) const {
    const auto& [q, k, v, dy] = in;
    const int64_t columns = whole_vectors(k.rows);
    const int64_t width = whole_vectors(k.width);
    pack_transposed(k, product.panel(), s.keys);
    pack_transposed(v, product.panel(), s.values);
    pack_rows(k, product.panel(), s.keys_by_row);
    for (int64_t first = 0; first < q.rows; first += block) {
      const int64_t rows = std::min(block, q.rows - first);
      const int64_t steps = steps_of<T>(k.width);
      product.run(rows, columns, steps, q.operand(first), s.keys, s.scores, columns, false);
      product.run(rows, columns, steps, dy.operand(first), s.values, s.dscores, columns, false);
      for (int64_t r = 0; r < rows; r += Words<T>::kPer) word_of_rows(s, r, rows, columns, k.rows);
      const HeadRows<const T> ds{s.ds, rows, k.rows, columns};
      product.run(rows, width, steps_of<T>(k.rows), ds.operand(), s.keys_by_row, s.dq, width,
                  false);
      store(s.dq, width, out[0].part(first, rows));
      // Row i of the transposed operands is key i, and a step goes to the next word of queries.
      pack_rows(q.part(first, rows), product.panel(), s.queries);
      pack_rows(dy.part(first, rows), product.panel(), s.dy);
      product.run(k.rows, width, steps_of<T>(rows), {s.dzip, 4, columns * 4}, s.queries, s.dk,
                  width, first > 0);
      product.run(k.rows, width, steps_of<T>(rows), {s.zip, 4, columns * 4}, s.dy, s.dv, width,
                  first > 0);
    }
    store(s.dk, width, out[1]);
    store(s.dv, width, out[2]);
  }

  template <typename Y>
  static void store(const float* from, int64_t stride, const HeadRows<Y>& to) {
    for (int64_t r = 0; r < to.rows; ++r) store_row<T>(from + r * stride, to.width, to.row(r));
  }
};

// Head: how one is computed, and as what; X: what the operands are made of, which differs from
// that where bf16 is widened.
template <typename Head, typename X>
Kernel make(const Node& node, const Operands& operands, const Context& cpu) {
  const HeadLayout heads(node, node.num_inputs() - 1);
  const Head backward(heads.s, static_cast<float>(node.real("scale")), cpu.isa);
  std::array<const X*, 3> in{};
  std::array<X*, 3> out{};
  for (size_t i = 0; i < operands.out.size(); ++i) {
    in[i] = operands.in[i].as<X>().data();
    out[i] = operands.out[i].as<X>().data();
  }
  const Widener<typename Head::Operand, X> widener;
  const auto carve = [=](std::byte* memory) {
    Carver carver(memory);
    auto scratch = std::pair(backward.carve(carver, heads.s), widener.carve(carver, heads.s));
    return std::pair(scratch, carver.used());
  };
  const int64_t bytes = carve(nullptr).second;
  cpu.workspace->reserve(cpu.threads * bytes);
  return [=, dy = operands.in.back().as<X>().data()] {
    auto* memory = cpu.workspace->as<std::byte>();
    parallel_for(cpu, heads.count(), 1, [=](int64_t begin, int64_t end) {
      const auto [scratch, wide] = carve(memory + omp_get_thread_num() * bytes).first;
      [[maybe_unused]] const typename Head::Session session{};
      for (int64_t item = begin; item < end; ++item)
        backward.head(scratch,
                      std::array{widener(wide, 0, heads.part(0, in.data(), item)),
                                 widener(wide, 1, heads.part(1, in.data(), item)),
                                 widener(wide, 2, heads.part(2, in.data(), item)),
                                 widener(wide, 3, heads.result(dy, item))},
                      std::array{heads.part(0, out.data(), item), heads.part(1, out.data(), item),
                                 heads.part(2, out.data(), item)});
    });
  };
}

}  // namespace

Kernel make_attention_grad(const Node& node, const Operands& operands, const Context& cpu) {
  const ops::AttentionShape s = ops::attention_shape(node, node.num_inputs() - 1);
  if (s.empty())
    return [&node, in = operands.in, out = operands.out] { run_reference(node, in, out); };
  if (node.in(0).dtype == DType::f32) return make<Backward<float>, float>(node, operands, cpu);
  if (!uses_pairs(cpu, s)) return make<Backward<float>, bf16>(node, operands, cpu);
  if (cpu.isa == Isa::amx) return make<TiledBackward<AmxTiles>, bf16>(node, operands, cpu);
  if (cpu.isa == Isa::amx_emulated)
    return make<TiledBackward<EmulatedTiles>, bf16>(node, operands, cpu);
  return make<Backward<bf16>, bf16>(node, operands, cpu);
}

}  // namespace grimace::cpu
