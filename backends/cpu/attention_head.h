// What attention forward and backward share: where heads lie, packing them for tile products, and
// the words in which they are multiplied.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "backends/cpu/bf16_rows.h"
#include "backends/cpu/context.h"
#include "backends/cpu/tile_product.h"
#include "backends/cpu/vector_math.h"
#include "backends/cpu/word_columns.h"
#include "ir/float16.h"
#include "ir/ops/attention.h"
#include "ir/view.h"

namespace grimace::cpu {

// Rows of one head in a packed tensor: `rows` rows of `width` elements, `stride` elements apart.
template <typename T>
struct HeadRows {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t width = 0;
  int64_t stride = 0;

  T* row(int64_t r) const { return data + r * stride; }
  HeadRows part(int64_t first, int64_t count) const { return {row(first), count, width, stride}; }
  TileOperand operand(int64_t first = 0) const {
    return {row(first), stride * static_cast<int64_t>(sizeof(T)), 4};
  }
};

// One element type of the operands, and the words it is multiplied in: f32, or bf16 in pairs.
template <typename T>
struct Words;
template <>
struct Words<float> {
  static constexpr int64_t kPer = 1;
  static float zip(float a, float) { return a; }
};
template <>
struct Words<bf16> {
  static constexpr int64_t kPer = 2;
  static uint32_t zip(bf16 a, bf16 b) {
    return static_cast<uint32_t>(a.bits) | static_cast<uint32_t>(b.bits) << 16;
  }
};
template <typename T>
using Word = decltype(Words<T>::zip(T{}, T{}));
template <typename T>
inline int64_t steps_of(int64_t inner) {
  return (inner + Words<T>::kPer - 1) / Words<T>::kPer;
}

// b of a product whose columns are the rows of x: words along x's width, in panels
// (tile_product.h). Columns past the last row become zeros.
template <typename T>
inline void pack_transposed(Isa isa, const HeadRows<const T>& x, int64_t panel, Word<T>* out) {
  const int64_t steps = steps_of<T>(x.width);
  const int64_t columns = whole_vectors(x.rows);
  for (int64_t first = 0; first < columns; first += panel) {
    const int64_t count = std::min(panel, columns - first);
    auto* to = reinterpret_cast<uint32_t*>(out + first * steps);
    for (int64_t lane = 0; lane < count; lane += kVector)
      words_to_columns(isa, x.row(first + lane), x.stride * static_cast<int64_t>(sizeof(T)),
                       x.rows - first - lane, steps, to + lane, count);
  }
}

// b of a product whose columns are those of x and whose inner dimension is x's rows.
template <typename T>
inline void pack_rows(const HeadRows<const T>& x, int64_t panel, Word<T>* out) {
  const int64_t columns = whole_vectors(x.width);
  const int64_t steps = steps_of<T>(x.rows);
  for (int64_t first = 0; first < columns; first += panel) {
    const int64_t count = std::min(panel, columns - first);
    const int64_t real = std::min(count, x.width - first);
    Word<T>* to = out + first * steps;
    for (int64_t s = 0; s < steps; ++s, to += count) {
      const int64_t r = s * Words<T>::kPer;
      const T* a = x.row(r) + first;
      if (r + Words<T>::kPer <= x.rows) {
        const T* b = x.row(r + Words<T>::kPer - 1) + first;
#pragma GCC ivdep
        for (int64_t c = 0; c < real; ++c) to[c] = Words<T>::zip(a[c], b[c]);
      } else {
        for (int64_t c = 0; c < real; ++c) to[c] = Words<T>::zip(a[c], T{});
      }
      std::fill(to + real, to + count, Word<T>{});
    }
  }
}

// Where heads lie in an attention node's packed tensors.
class HeadLayout {
 public:
  HeadLayout(const Node& node, int operands) : s(ops::attention_shape(node, operands)) {}

  ops::AttentionShape s;
  int64_t count() const { return s.batch * s.heads; }

  // Part 0, 1, 2 = q, k, v of head number `item` in [0, count()).
  template <typename T>
  HeadRows<T> part(int which, T* const* packed, int64_t item) const {
    const auto& p = s.parts[static_cast<size_t>(which)];
    const int64_t rows = which == 0 ? s.queries : s.keys;
    return {
        packed[p.input] + item / s.heads * rows * p.columns + p.column + item % s.heads * s.width,
        rows, s.width, p.columns};
  }
  // Of y or its gradient, [B,T1,C].
  template <typename T>
  HeadRows<T> result(T* y, int64_t item) const {
    return {y + item / s.heads * s.queries * s.dim() + item % s.heads * s.width, s.queries, s.width,
            s.dim()};
  }
};

// Shares the work of `heads` among threads: where their number alone leaves threads idle, each is
// cut into pieces of whole blocks of queries.
class HeadPieces {
 public:
  HeadPieces(const Context& cpu, int64_t heads, int64_t queries, int64_t block)
      : heads_(heads), queries_(queries), block_(block), blocks_((queries + block - 1) / block) {
    constexpr int64_t kEven = 8;  // heads per thread that are shared well enough
    const int64_t threads = cpu.threads;
    if (heads % threads != 0 && heads < kEven * threads)
      pieces_ = std::min(blocks_, threads / std::gcd(heads, threads));
  }
  int64_t pieces() const { return pieces_; }
  int64_t count() const { return heads_ * pieces_; }
  // body(head, first, rows) for the queries of items [begin, end), once per head.
  template <typename Body>
  void for_each(int64_t begin, int64_t end, const Body& body) const {
    for (int64_t item = begin; item < end;) {
      const int64_t head = item / pieces_;
      const int64_t next = std::min(end, (head + 1) * pieces_);
      const int64_t first = row(item - head * pieces_);
      body(head, first, row(next - head * pieces_) - first);
      item = next;
    }
  }

 private:
  int64_t row(int64_t piece) const {
    return std::min(queries_, blocks_ * piece / pieces_ * block_);
  }
  int64_t heads_, queries_, block_, blocks_;
  int64_t pieces_ = 1;
};

// Cuts one buffer into arrays that start on cache lines. With a null buffer it measures.
class Carver {
 public:
  explicit Carver(std::byte* memory) : memory_(memory) {}
  template <typename T>
  T* take(int64_t count) {
    auto* at = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    used_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return at;
  }
  int64_t used() const { return used_; }

 private:
  std::byte* memory_;
  int64_t used_ = 0;
};

// Gives heads of X as heads of T: as they are, or as f32 copies of bf16 ones.
template <typename T, typename X>
struct Widener {
  static constexpr int kParts = 4;  // q, k, v and dy
  using Copies = std::array<T*, kParts>;

  Copies carve(Carver& memory, const ops::AttentionShape& s) const {
    Copies copies{};
    if constexpr (!std::is_same_v<T, X>)
      for (int i = 0; i < kParts; ++i)
        copies[static_cast<size_t>(i)] =
            memory.take<T>((i == 1 || i == 2 ? s.keys : s.queries) * s.width);
    return copies;
  }
  HeadRows<const T> operator()(const Copies& copies, int part, const HeadRows<const X>& x) const {
    if constexpr (std::is_same_v<T, X>) {
      return x;
    } else {
      T* to = copies[static_cast<size_t>(part)];
      for (int64_t r = 0; r < x.rows; ++r)
        for (int64_t c = 0; c < x.width; ++c) to[r * x.width + c] = T(x.row(r)[c]);
      return {to, x.rows, x.width, x.width};
    }
  }
};

// How heads are computed: scores in columns, of f32, of bf16 widened to it, or of bf16 in pairs;
// in rows (pairs too); in tiles.
enum class HeadKind : uint8_t { columns, widened_columns, paired_columns, rows, tiles, emulated };

// One choice for the result and the gradient.
inline HeadKind head_kind(DType operand, const ops::AttentionShape& s, const Context& cpu) {
  // Rows and columns take the same time at 11 keys (columns a little less) and at 101 (rows).
  constexpr int64_t kFewKeys = 32;
  if (operand == DType::f32) return HeadKind::columns;
  if (!has_bf16_pairs(cpu.isa) || s.width % 2 != 0) return HeadKind::widened_columns;
  if (cpu.isa == Isa::amx) return HeadKind::tiles;
  if (cpu.isa == Isa::amx_emulated) return HeadKind::emulated;
  return s.keys <= kFewKeys ? HeadKind::paired_columns : HeadKind::rows;
}

// How many queries are worked on at once: their scores, at most `scores` of them, should stay in
// the second-level cache, and blocks should be of one size. A multiple of `tile` rows.
inline int64_t query_block(const ops::AttentionShape& s, int64_t tile, int64_t scores) {
  const int64_t fit = scores / std::max<int64_t>(1, whole_vectors(s.keys));
  const int64_t most = std::clamp<int64_t>(fit, 2 * tile, 16 * tile);
  const int64_t blocks = std::max<int64_t>(1, (s.queries + most - 1) / most);
  return (s.queries + blocks * tile - 1) / (blocks * tile) * tile;
}
inline int64_t query_block(const ops::AttentionShape& s) {
  return query_block(s, TileProduct::kRows, 40 << 10);
}

// y[c] = scale x[c] rounded; T is what the head is multiplied in.
template <typename T, typename Y>
inline void store_row(const float* x, int64_t count, float scale, Y* y) {
  if constexpr (std::is_same_v<T, bf16>) {
    narrow_row(x, count, scale, y);
  } else {
#pragma GCC ivdep
    for (int64_t c = 0; c < count; ++c) y[c] = Y(scale * x[c]);
  }
}

}  // namespace grimace::cpu
