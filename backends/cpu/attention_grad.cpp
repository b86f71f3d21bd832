// attention_grad, head by head: for a block of queries the weights are computed again, and dw
// beside them; both stay in the cache for the products that make dq of the block and add to dk and
// dv. Where threads share a head, each has its own sums for dk and dv, added in order at the end.
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
  Backward(const ops::AttentionShape& s, float scale_of_scores, Isa of_run)
      : isa(of_run),
        product(isa, std::is_same_v<T, bf16>),
        scale(scale_of_scores),
        block(query_block(s)) {}

  Isa isa;
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
    float* dq;
    float *dk, *dv;  // sums over the blocks
  };
  static int64_t sum_floats(const ops::AttentionShape& s) {
    return 2 * whole_vectors(s.keys) * whole_vectors(s.width);
  }
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
    scratch.dk = memory.take<float>(sum_floats(s));
    scratch.dv = scratch.dk + columns * width;
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
            const HeadRows<Y>& dq) const {
    const auto& [q, k, v, dy] = in;
    const int64_t columns = whole_vectors(k.rows);
    const int64_t width = whole_vectors(k.width);
    pack_transposed(isa, k, product.panel(), s.keys);
    pack_transposed(isa, v, product.panel(), s.values);
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
      store(s.dq, width, dq.part(first, rows));
      // Row i of the transposed operands is key i, and a step goes to the next word of queries.
      pack_rows(q.part(first, rows), product.panel(), s.queries);
      pack_rows(dy.part(first, rows), product.panel(), s.dy);
      product.run(k.rows, width, steps_of<T>(rows), {s.dzip, 4, columns * 4}, s.queries, s.dk,
                  width, first > 0);
      product.run(k.rows, width, steps_of<T>(rows), {s.zip, 4, columns * 4}, s.dy, s.dv, width,
                  first > 0);
    }
  }
  template <typename Y>
  static void store_sums(const float* sums, const HeadRows<Y>& dk, const HeadRows<Y>& dv) {
    const int64_t width = whole_vectors(dk.width);
    store(sums, width, dk);
    store(sums + whole_vectors(dk.rows) * width, width, dv);
  }

  template <typename Y>
  static void store(const float* from, int64_t stride, const HeadRows<Y>& to) {
    for (int64_t r = 0; r < to.rows; ++r)
      store_row<T>(from + r * stride, to.width, 1.0f, to.row(r));
  }
};

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
  if (s.empty())
    return [&node, in = operands.in, out = operands.out] { run_reference(node, in, out); };
  if (node.in(0).dtype == DType::f32) return Gradients<Backward<float>, float>(node, operands, cpu);
  if (!uses_pairs(cpu, s)) return Gradients<Backward<float>, bf16>(node, operands, cpu);
  if (cpu.isa == Isa::amx) return Gradients<TiledBackward<AmxTiles>, bf16>(node, operands, cpu);
  if (cpu.isa == Isa::amx_emulated)
    return Gradients<TiledBackward<EmulatedTiles>, bf16>(node, operands, cpu);
  return Gradients<Backward<bf16>, bf16>(node, operands, cpu);
}

}  // namespace grimace::cpu
