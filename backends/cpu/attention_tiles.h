// One head of attention and of its gradient on a tile unit (amx_tiles.h), bf16 operands and f32
// sums. All operands are padded with zeros to whole tiles.
//
// What bounds it: on a core with 3.5 TFLOP/s of tiles the two products of 800 queries and keys in
// 64 columns take 47 us, and their 640 000 exponentials, about 10 instructions for 16 of them,
// twice that (100 us, measured on a Zen 5 core). So the products are kept simple, and the
// exponentials get what they can be given: each score is written once by its tile and read twice
// while in the second-level cache, and leaves as bf16 at once. Blocks of queries are so high that
// the scores of a block stay there, and that the gradients of keys and values, which every block
// reads and writes, do so seldom.
#pragma once

#include "backends/cpu/amx_product.h"
#include "backends/cpu/attention_head.h"
#include "backends/cpu/bf16_softmax.h"

namespace grimace::cpu {

inline int64_t tile_columns(int64_t count) {
  return rounded_up(count, kPanel);
}
inline int64_t tile_inner(int64_t count) {
  return rounded_up(count, kTileInner);
}

// a of a product: rows copied side by side, with zeros up to a tile. (q and dy in place would do
// where heads are a whole number of tiles wide, were it not for the rows after the last.)
inline TileRows tile_rows(const HeadRows<const bf16>& x, bf16* out) {
  const int64_t width = tile_inner(x.width);
  for (int64_t r = 0; r < x.rows; ++r) {
    std::copy_n(x.row(r), x.width, out + r * width);
    std::fill(out + r * width + x.width, out + (r + 1) * width, bf16{});
  }
  std::fill(out + x.rows * width, out + rounded_up(x.rows, kTileRows) * width, bf16{});
  return {out, width * 2};
}

// b of a product whose columns are the rows of x and whose inner dimension is x's width.
inline void tile_transposed(const HeadRows<const bf16>& x, uint32_t* out) {
  for (int64_t first = 0; first < x.rows; first += kPanel)
    for (int64_t c = 0; c < x.width; c += kTileInner, out += kPanel * kTilePairs)
      transpose_words(x.row(first) + c, x.stride * 2, x.rows - first, (x.width - c) / 2, out);
}

// b of a product whose columns are those of x and whose inner dimension is x's rows.
inline void tile_zipped(const HeadRows<const bf16>& x, uint32_t* out) {
  const int64_t steps = tile_inner(x.rows) / 2;
  const auto row = [&](int64_t r) { return r < x.rows ? x.row(r) : nullptr; };
  for (int64_t s = 0; s < steps; ++s)
    zip_rows(row(2 * s), row(2 * s + 1), x.width, out + s * kPanel, steps * kPanel);
}

// a of a product whose rows are the columns of x and whose inner dimension is x's rows.
inline TileRows tile_columns_as_rows(const HeadRows<const bf16>& x, uint32_t* out) {
  const int64_t steps = tile_inner(x.rows) / 2;
  for (int64_t s = 0; s < steps; s += kTilePairs)
    for (int64_t c = 0; c < x.width; c += kTileRows)
      transpose_pairs(x.row(2 * s) + c, x.stride, x.rows - 2 * s, x.width - c, out + c * steps + s,
                      steps);
  return {out, steps * 4};
}

// The scores of a block of queries with all keys should take up less than a quarter of a second-
// level cache of 2 MiB.
inline int64_t tiled_query_block(const ops::AttentionShape& s) {
  return query_block(s, kTileInner, 80 << 10);
}

template <typename Unit>
struct TiledForward {
  using Operand = bf16;
  using Session = TileSession<Unit>;
  TiledForward(const ops::AttentionShape& s, float scale_of_scores, Isa)
      : scale(scale_of_scores), block(tiled_query_block(s)) {}

  float scale;
  int64_t block;

  struct Scratch {
    uint32_t *keys, *values;
    bf16 *queries, *weights;
    float *scores, *sums, *norm;
  };
  Scratch carve(Carver& memory, const ops::AttentionShape& s) const {
    Scratch scratch{};
    scratch.keys = memory.take<uint32_t>(tile_columns(s.keys) * tile_inner(s.width) / 2);
    scratch.values = memory.take<uint32_t>(tile_columns(s.width) * tile_inner(s.keys) / 2);
    scratch.queries = memory.take<bf16>(block * tile_inner(s.width));
    scratch.weights = memory.take<bf16>(block * tile_inner(s.keys));
    scratch.scores = memory.take<float>(block * tile_columns(s.keys));
    scratch.sums = memory.take<float>(block * tile_columns(s.width));
    scratch.norm = memory.take<float>(block);
    return scratch;
  }

  template <typename Y>
  void head(const Scratch& s, const HeadRows<const bf16>& q, const HeadRows<const bf16>& k,
            const HeadRows<const bf16>& v, const HeadRows<Y>& y) const {
    const int64_t keys = tile_columns(k.rows);
    const int64_t inner = tile_inner(k.rows);
    const int64_t width = tile_columns(v.width);
    tile_transposed(k, s.keys);
    tile_zipped(v, s.values);
    for (int64_t first = 0; first < q.rows; first += block) {
      const int64_t rows = std::min(block, q.rows - first);
      const int64_t whole = rounded_up(rows, kTileRows);
      amx_product<Unit>(whole, keys, tile_inner(q.width) / 2,
                        tile_rows(q.part(first, rows), s.queries), s.keys, s.scores, keys, false);
      for (int64_t r = 0; r < rows; ++r)
        s.norm[r] =
            1.0f / softmax_row(s.scores + r * keys, k.rows, inner, scale, s.weights + r * inner);
      std::fill(s.weights + rows * inner, s.weights + whole * inner, bf16{});
      amx_product<Unit>(whole, width, inner / 2, {s.weights, inner * 2}, s.values, s.sums, width,
                        false);
      for (int64_t r = 0; r < rows; ++r)
        narrow_row(s.sums + r * width, v.width, s.norm[r], y.row(first + r));
    }
  }
};

template <typename Unit>
struct TiledBackward {
  using Operand = bf16;
  using Session = TileSession<Unit>;
  TiledBackward(const ops::AttentionShape& s, float scale_of_scores, Isa)
      : scale(scale_of_scores), block(tiled_query_block(s)) {}

  float scale;
  int64_t block;

  struct Scratch {
    uint32_t *keys, *values;     // columns are keys
    uint32_t* keys_by_row;       // columns are k's own
    bf16 *queries, *dy;          // of the block, row by row
    uint32_t *queries_t, *dy_t;  // of the block, column by column
    float *scores, *dscores;
    uint32_t *weights, *gradient;  // of the scores, as b of the products along queries
    bf16* gradient_rows;           // and as a of that along keys
    float* dq;
    float *dk, *dv;  // sums over the blocks, column by column
  };
  static int64_t sum_floats(const ops::AttentionShape& s) {
    return 2 * tile_columns(s.keys) * tile_columns(s.width);
  }
  Scratch carve(Carver& memory, const ops::AttentionShape& s) const {
    const int64_t keys = tile_columns(s.keys);
    const int64_t width = tile_columns(s.width);
    Scratch scratch{};
    scratch.keys = memory.take<uint32_t>(keys * tile_inner(s.width) / 2);
    scratch.values = memory.take<uint32_t>(keys * tile_inner(s.width) / 2);
    scratch.keys_by_row = memory.take<uint32_t>(width * tile_inner(s.keys) / 2);
    scratch.queries = memory.take<bf16>(block * tile_inner(s.width));
    scratch.dy = memory.take<bf16>(block * tile_inner(s.width));
    scratch.queries_t = memory.take<uint32_t>(block / 2 * width);
    scratch.dy_t = memory.take<uint32_t>(block / 2 * width);
    scratch.scores = memory.take<float>(block * keys);
    scratch.dscores = memory.take<float>(block * keys);
    scratch.weights = memory.take<uint32_t>(block / 2 * tile_inner(s.keys));
    scratch.gradient = memory.take<uint32_t>(block / 2 * tile_inner(s.keys));
    scratch.gradient_rows = memory.take<bf16>(block * tile_inner(s.keys));
    scratch.dq = memory.take<float>(block * width);
    scratch.dk = memory.take<float>(sum_floats(s));
    scratch.dv = scratch.dk + width * keys;
    return scratch;
  }

  // Scores and their weights' gradient become weights and gradient; rows up to a tile are zeros.
  void softmax_block(const Scratch& s, int64_t rows, int64_t keys) const {
    const int64_t inner = tile_inner(keys);
    const int64_t steps = tile_inner(rows) / 2;
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t r = 2 * step;
      bf16* gradient = s.gradient_rows + r * inner;
      softmax_pair_back(s.scores + r * tile_columns(keys), s.dscores + r * tile_columns(keys),
                        tile_columns(keys), std::clamp<int64_t>(rows - r, 0, 2), keys, inner, scale,
                        {s.weights + step * kPanel,
                         s.gradient + step * kPanel,
                         steps * kPanel,
                         {gradient, gradient + inner}});
    }
  }

  template <typename Y>
  void head(const Scratch& s, const std::array<HeadRows<const bf16>, 4>& in,
            const HeadRows<Y>& dq) const {
    const auto& [q, k, v, dy] = in;
    tile_transposed(k, s.keys);
    tile_transposed(v, s.values);
    tile_zipped(k, s.keys_by_row);
    for (int64_t first = 0; first < q.rows; first += block) {
      const int64_t rows = std::min(block, q.rows - first);
      query_gradients(s, q.part(first, rows), dy.part(first, rows), k.rows, dq.part(first, rows));
      key_gradients(s, q.part(first, rows), dy.part(first, rows), k.rows, first > 0);
    }
  }
  template <typename Y>
  static void store_sums(const float* sums, const HeadRows<Y>& dk, const HeadRows<Y>& dv) {
    store_transposed(sums, dk);
    store_transposed(sums + tile_columns(dk.width) * tile_columns(dk.rows), dv);
  }

 private:
  template <typename Y>
  void query_gradients(const Scratch& s, const HeadRows<const bf16>& q,
                       const HeadRows<const bf16>& dy, int64_t key_count,
                       const HeadRows<Y>& dq) const {
    const int64_t keys = tile_columns(key_count);
    const int64_t inner = tile_inner(key_count);
    const int64_t width = tile_columns(q.width);
    const int64_t whole = rounded_up(q.rows, kTileRows);
    const int64_t steps = tile_inner(q.width) / 2;
    amx_product<Unit>(whole, keys, steps, tile_rows(q, s.queries), s.keys, s.scores, keys, false);
    amx_product<Unit>(whole, keys, steps, tile_rows(dy, s.dy), s.values, s.dscores, keys, false);
    softmax_block(s, q.rows, key_count);
    amx_product<Unit>(whole, width, inner / 2, {s.gradient_rows, inner * 2}, s.keys_by_row, s.dq,
                      width, false);
    for (int64_t r = 0; r < q.rows; ++r) narrow_row(s.dq + r * width, q.width, 1.0f, dq.row(r));
  }

  // The other way round, columns of the results as rows of the product: so the weights are its b,
  // whose pairs of queries are how rows of weights are best written.
  void key_gradients(const Scratch& s, const HeadRows<const bf16>& q,
                     const HeadRows<const bf16>& dy, int64_t key_count, bool accumulate) const {
    const int64_t keys = tile_columns(key_count);
    const int64_t width = tile_columns(q.width);
    const int64_t steps = tile_inner(q.rows) / 2;
    amx_product<Unit>(width, keys, steps, tile_columns_as_rows(q, s.queries_t), s.gradient, s.dk,
                      keys, accumulate);
    amx_product<Unit>(width, keys, steps, tile_columns_as_rows(dy, s.dy_t), s.weights, s.dv, keys,
                      accumulate);
  }

  template <typename Y>
  static void store_transposed(const float* from, const HeadRows<Y>& to) {
    const int64_t stride = tile_columns(to.rows);
    uint32_t square[kPanel * kPanel];
    for (int64_t c = 0; c < to.width; c += kPanel)
      for (int64_t first = 0; first < to.rows; first += kPanel) {
        transpose_words(from + c * stride + first, stride * 4, kPanel, kPanel, square);
        const int64_t rows = std::min(kPanel, to.rows - first);
        for (int64_t r = 0; r < rows; ++r)
          narrow_row(reinterpret_cast<const float*>(square + r * kPanel),
                     std::min(kPanel, to.width - c), 1.0f, to.row(first + r) + c);
      }
  }
};

}  // namespace grimace::cpu
