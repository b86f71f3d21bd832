// One head of attention and of its gradient with scores in columns, a query each, so that the
// softmax of 16 queries is arithmetic between vectors. Rows of 8 representatives or of a region's
// 11 tokens would leave vectors half empty, and pay for sums across them once a query. Scores of
// f32 are operands of the next products as they stand. Only bf16 with more than a few keys does
// better in rows (attention_rows.h), where scores become bf16 in the register that made them.
#pragma once

#include <limits>

#include "backends/cpu/attention_head.h"

namespace grimace::cpu {

constexpr int64_t kMostColumns = 64;

// Queries of a block: their scores should stay in the second-level cache.
inline int64_t columns_at_once(int64_t keys) {
  constexpr int64_t kScores = 52 << 10;
  return std::clamp(kScores / std::max<int64_t>(1, keys) / kVector * kVector, kVector,
                    kMostColumns);
}

// Scores in columns: rows of a key each, `stride` apart.
struct Columns {
  float* data;
  int64_t keys, count, stride;

  float* row(int64_t key) const { return data + key * stride; }
};

// Scores become e^(scale (x - top)), not yet normalised, and their sums.
template <typename T>
inline void weigh_columns(const Columns& x, float scale, float* sum) {
  float top[kMostColumns];
  // e^x = 2^(x log2 e): bf16 has no need of the exact one.
  const float unit = std::is_same_v<T, bf16> ? scale * 1.44269504088896341f : scale;
  std::fill_n(top, x.count, -std::numeric_limits<float>::infinity());
  std::fill_n(sum, x.count, 0.0f);
  for (int64_t k = 0; k < x.keys; ++k) {
    float* row = x.row(k);
#pragma GCC ivdep
    for (int64_t c = 0; c < x.count; ++c) {
      row[c] *= unit;
      top[c] = top[c] < row[c] ? row[c] : top[c];
    }
  }
  for (int64_t k = 0; k < x.keys; ++k) {
    float* row = x.row(k);
#pragma GCC ivdep
    for (int64_t c = 0; c < x.count; ++c) {
      const float below = row[c] - top[c];
      row[c] = std::is_same_v<T, bf16> ? coarse_exp2(below) : fast_exp_below_zero(below);
      sum[c] += row[c];
    }
  }
}

// Words of neighbouring keys, `stride` words apart.
inline void zip_columns(const Columns& x, uint32_t* out) {
  const auto zip = [](float a, float b) { return Words<bf16>::zip(bf16(a), bf16(b)); };
  for (int64_t k = 0; k < x.keys; k += 2, out += x.stride) {
    const float* a = x.row(k);
    const float* b = x.row(k + 1);
    if (k + 1 < x.keys) {
#pragma GCC ivdep
      for (int64_t c = 0; c < x.count; ++c) out[c] = zip(a[c], b[c]);
    } else {
#pragma GCC ivdep
      for (int64_t c = 0; c < x.count; ++c) out[c] = zip(a[c], 0.0f);
    }
  }
}

// What both directions share.
template <typename T>
struct ColumnsHead {
  using Operand = T;
  struct Session {};
  ColumnsHead(const ops::AttentionShape& s, float scale_of_scores, Isa of_run)
      : isa(of_run),
        product(of_run, std::is_same_v<T, bf16>),
        scale(scale_of_scores),
        block(columns_at_once(s.keys)) {}

  Isa isa;
  TileProduct product;
  float scale;
  int64_t block;

  Word<T>* take_queries(Carver& memory, const ops::AttentionShape& s) const {
    return memory.take<Word<T>>(block * steps_of<T>(s.width));
  }
  float* take_scores(Carver& memory, const ops::AttentionShape& s) const {
    return memory.take<float>(block * s.keys);
  }
  Columns columns(float* scores, int64_t keys, int64_t queries) const {
    return {scores, keys, whole_vectors(queries), block};
  }
  // out [a.rows, block] = a b^T.
  void multiply(const HeadRows<const T>& a, const HeadRows<const T>& b, Word<T>* packed,
                float* out) const {
    pack_transposed(isa, b, product.panel(), packed);
    product.run(a.rows, whole_vectors(b.rows), steps_of<T>(a.width), a.operand(), packed, out,
                block, false);
  }

  // The columns as rows of a product along the keys: of f32 they are that as they stand.
  Word<T>* take_zipped(Carver& memory, const ops::AttentionShape& s, float* scores) const {
    if constexpr (std::is_same_v<T, float>)
      return scores;
    else
      return memory.take<Word<T>>(block * steps_of<T>(s.keys));
  }
  TileOperand by_query(const Columns& x, Word<T>* zipped) const {
    if constexpr (std::is_same_v<T, bf16>) zip_columns(x, zipped);
    return {zipped, sizeof(Word<T>), block * static_cast<int64_t>(sizeof(Word<T>))};
  }
};

template <typename T>
struct ColumnsForward : ColumnsHead<T> {
  using ColumnsHead<T>::ColumnsHead, ColumnsHead<T>::product, ColumnsHead<T>::block;

  struct Scratch {
    Word<T>*queries, *values, *zipped;
    float *weights, *sums;
  };
  Scratch carve(Carver& memory, const ops::AttentionShape& s) const {
    Scratch scratch{};
    scratch.queries = this->take_queries(memory, s);
    scratch.values = memory.take<Word<T>>(whole_vectors(s.width) * steps_of<T>(s.keys));
    scratch.weights = this->take_scores(memory, s);
    scratch.zipped = this->take_zipped(memory, s, scratch.weights);
    scratch.sums = memory.take<float>(block * whole_vectors(s.width));
    return scratch;
  }

  template <typename Y>
  void head(const Scratch& s, const HeadRows<const T>& q, const HeadRows<const T>& k,
            const HeadRows<const T>& v, const HeadRows<Y>& y) const {
    const int64_t width = whole_vectors(v.width);
    pack_rows(v, product.panel(), s.values);
    for (int64_t first = 0; first < q.rows; first += block) {
      const int64_t rows = std::min(block, q.rows - first);
      const Columns weights = this->columns(s.weights, k.rows, rows);
      float sum[kMostColumns];
      this->multiply(k, q.part(first, rows), s.queries, s.weights);
      weigh_columns<T>(weights, this->scale, sum);
      product.run(rows, width, steps_of<T>(k.rows), this->by_query(weights, s.zipped), s.values,
                  s.sums, width, false);
      for (int64_t r = 0; r < rows; ++r)
        store_row<T>(s.sums + r * width, v.width, 1.0f / sum[r], y.row(first + r));
    }
  }
};

template <typename T>
struct ColumnsBackward : ColumnsHead<T> {
  using ColumnsHead<T>::ColumnsHead, ColumnsHead<T>::product, ColumnsHead<T>::block;

  struct Scratch {
    Word<T>*queries, *keys, *rows;  // of queries and rows: q's or dy's
    float *weights, *gradient;
    T *narrow_weights, *narrow_gradient;  // of f32 the same memory
    Word<T>* zipped;
    float *dq, *dk, *dv;
  };
  static int64_t sum_floats(const ops::AttentionShape& s) {
    return 2 * s.keys * whole_vectors(s.width);
  }
  Scratch carve(Carver& memory, const ops::AttentionShape& s) const {
    const int64_t width = whole_vectors(s.width);
    Scratch scratch{};
    scratch.queries = this->take_queries(memory, s);
    scratch.keys = memory.take<Word<T>>(width * steps_of<T>(s.keys));
    scratch.rows = memory.take<Word<T>>(width * steps_of<T>(block));
    scratch.weights = this->take_scores(memory, s);
    scratch.gradient = this->take_scores(memory, s);
    if constexpr (std::is_same_v<T, float>) {
      scratch.narrow_weights = scratch.weights;
      scratch.narrow_gradient = scratch.gradient;
    } else {
      scratch.narrow_weights = memory.take<T>(block * s.keys);
      scratch.narrow_gradient = memory.take<T>(block * s.keys);
    }
    scratch.zipped = this->take_zipped(memory, s, scratch.gradient);
    scratch.dq = memory.take<float>(block * width);
    scratch.dk = memory.take<float>(sum_floats(s));
    scratch.dv = scratch.dk + s.keys * width;
    return scratch;
  }

  // Scores become weights, dw the gradient of the scores.
  void softmax_back(const Columns& weights, const Columns& gradient) const {
    const int64_t count = weights.count;
    float norm[kMostColumns];
    float mean[kMostColumns];
    weigh_columns<T>(weights, this->scale, norm);
    std::fill_n(mean, count, 0.0f);
    for (int64_t k = 0; k < weights.keys; ++k) {
      const float* w = weights.row(k);
      const float* dw = gradient.row(k);
#pragma GCC ivdep
      for (int64_t c = 0; c < count; ++c) mean[c] += w[c] * dw[c];
    }
#pragma GCC ivdep
    for (int64_t c = 0; c < count; ++c) {
      norm[c] = 1.0f / norm[c];
      mean[c] *= norm[c];
    }
    for (int64_t k = 0; k < weights.keys; ++k) {
      float* w = weights.row(k);
      float* dw = gradient.row(k);
#pragma GCC ivdep
      for (int64_t c = 0; c < count; ++c) {
        w[c] *= norm[c];
        dw[c] = this->scale * w[c] * (dw[c] - mean[c]);
      }
    }
  }

  // sums += x^T rows, for the rows that are the block's.
  void add_product(const Columns& x, T* narrow, const HeadRows<const T>& rows, Word<T>* packed,
                   float* sums, bool accumulate) const {
    if constexpr (std::is_same_v<T, bf16>)
      for (int64_t k = 0; k < x.keys; ++k)
        store_row<T>(x.row(k), x.count, 1.0f, narrow + k * x.stride);
    pack_rows(rows, product.panel(), packed);
    const int64_t width = whole_vectors(rows.width);
    product.run(x.keys, width, steps_of<T>(rows.rows),
                {narrow, x.stride * static_cast<int64_t>(sizeof(T)), sizeof(Word<T>)}, packed, sums,
                width, accumulate);
  }

  template <typename Y>
  void head(const Scratch& s, const std::array<HeadRows<const T>, 4>& in,
            const HeadRows<Y>& dq) const {
    const auto& [q, k, v, dy] = in;
    const int64_t width = whole_vectors(k.width);
    pack_rows(k, product.panel(), s.keys);
    for (int64_t first = 0; first < q.rows; first += block) {
      const int64_t rows = std::min(block, q.rows - first);
      const Columns weights = this->columns(s.weights, k.rows, rows);
      const Columns gradient = this->columns(s.gradient, k.rows, rows);
      this->multiply(k, q.part(first, rows), s.queries, s.weights);
      this->multiply(v, dy.part(first, rows), s.queries, s.gradient);
      softmax_back(weights, gradient);
      product.run(rows, width, steps_of<T>(k.rows), this->by_query(gradient, s.zipped), s.keys,
                  s.dq, width, false);
      for (int64_t r = 0; r < rows; ++r)
        store_row<T>(s.dq + r * width, dq.width, 1.0f, dq.row(first + r));
      add_product(gradient, s.narrow_gradient, q.part(first, rows), s.rows, s.dk, first > 0);
      add_product(weights, s.narrow_weights, dy.part(first, rows), s.rows, s.dv, first > 0);
    }
  }
  template <typename Y>
  static void store_sums(const float* sums, const HeadRows<Y>& dk, const HeadRows<Y>& dv) {
    const int64_t width = whole_vectors(dk.width);
    for (int64_t r = 0; r < dk.rows; ++r) {
      store_row<T>(sums + r * width, dk.width, 1.0f, dk.row(r));
      store_row<T>(sums + (dk.rows + r) * width, dv.width, 1.0f, dv.row(r));
    }
  }
};

}  // namespace grimace::cpu
