// One head of attention and of its gradient with scores in rows, for pairs of bf16 and more than a
// few keys: rows leave the softmax (bf16_softmax.h) as operands of the products that follow.
#pragma once

#include "backends/cpu/attention_head.h"
#include "backends/cpu/bf16_softmax.h"

namespace grimace::cpu {

// What both directions share.
struct RowsHead {
  using Operand = bf16;
  struct Session {};
  RowsHead(const ops::AttentionShape& s, float scale_of_scores, Isa of_run)
      : isa(of_run), product(of_run, true), scale(scale_of_scores), block(query_block(s)) {}

  Isa isa;
  TileProduct product;
  float scale;
  int64_t block;  // even
};

struct RowsForward : RowsHead {
  using RowsHead::RowsHead;

  struct Scratch {
    uint32_t *keys, *values;
    float *scores, *sums, *norm;
    bf16* weights;
  };
  Scratch carve(Carver& memory, const ops::AttentionShape& s) const {
    const int64_t columns = whole_vectors(s.keys);
    Scratch scratch{};
    scratch.keys = memory.take<uint32_t>(columns * steps_of<bf16>(s.width));
    scratch.values = memory.take<uint32_t>(whole_vectors(s.width) * steps_of<bf16>(s.keys));
    scratch.scores = memory.take<float>(block * columns);
    scratch.sums = memory.take<float>(block * whole_vectors(s.width));
    scratch.norm = memory.take<float>(block);
    scratch.weights = memory.take<bf16>(block * columns);
    return scratch;
  }

  void head(const Scratch& s, const HeadRows<const bf16>& q, const HeadRows<const bf16>& k,
            const HeadRows<const bf16>& v, const HeadRows<bf16>& y) const {
    const int64_t columns = whole_vectors(k.rows);
    const int64_t width = whole_vectors(v.width);
    pack_transposed(isa, k, product.panel(), s.keys);
    pack_rows(v, product.panel(), s.values);
    for (int64_t first = 0; first < q.rows; first += block) {
      const int64_t rows = std::min(block, q.rows - first);
      product.run(rows, columns, steps_of<bf16>(q.width), q.operand(first), s.keys, s.scores,
                  columns, false);
      // Zeros up to a whole vector: the product may read a step beyond the last key.
      for (int64_t r = 0; r < rows; ++r)
        s.norm[r] = 1.0f / softmax_row(s.scores + r * columns, k.rows, columns, scale,
                                       s.weights + r * columns);
      const HeadRows<const bf16> weights{s.weights, rows, k.rows, columns};
      product.run(rows, width, steps_of<bf16>(k.rows), weights.operand(), s.values, s.sums, width,
                  false);
      for (int64_t r = 0; r < rows; ++r)
        narrow_row(s.sums + r * width, v.width, s.norm[r], y.row(first + r));
    }
  }
};

struct RowsBackward : RowsHead {
  using RowsHead::RowsHead;

  struct Scratch {
    uint32_t *keys, *values;  // columns are keys
    uint32_t* keys_by_row;    // columns are k's own
    uint32_t *queries, *dy;   // of the block; columns are q's and dy's own
    float *scores, *dscores;
    uint32_t *zip, *dzip;  // the same with pairs of queries as words
    bf16* ds;              // dscores row by row
    float *dq, *dk, *dv;   // of the block; sums over the blocks
  };
  static int64_t sum_floats(const ops::AttentionShape& s) {
    return 2 * whole_vectors(s.keys) * whole_vectors(s.width);
  }
  Scratch carve(Carver& memory, const ops::AttentionShape& s) const {
    const int64_t columns = whole_vectors(s.keys);
    const int64_t width = whole_vectors(s.width);
    Scratch scratch{};
    scratch.keys = memory.take<uint32_t>(columns * steps_of<bf16>(s.width));
    scratch.values = memory.take<uint32_t>(columns * steps_of<bf16>(s.width));
    scratch.keys_by_row = memory.take<uint32_t>(width * steps_of<bf16>(s.keys));
    scratch.queries = memory.take<uint32_t>(width * steps_of<bf16>(block));
    scratch.dy = memory.take<uint32_t>(width * steps_of<bf16>(block));
    scratch.scores = memory.take<float>(block * columns);
    scratch.dscores = memory.take<float>(block * columns);
    scratch.zip = memory.take<uint32_t>(steps_of<bf16>(block) * columns);
    scratch.dzip = memory.take<uint32_t>(steps_of<bf16>(block) * columns);
    scratch.ds = memory.take<bf16>(block * columns);
    scratch.dq = memory.take<float>(block * width);
    scratch.dk = memory.take<float>(sum_floats(s));
    scratch.dv = scratch.dk + columns * width;
    return scratch;
  }

  // Rows of scores and dscores become weights and gradients, two at a time, and these the operands
  // of products along keys and along queries.
  void softmax_back(const Scratch& s, int64_t rows, int64_t columns, int64_t keys) const {
    for (int64_t r = 0; r < rows; r += 2) {
      const int64_t word = r / 2 * columns;
      softmax_pair_back(
          s.scores + r * columns, s.dscores + r * columns, columns, std::min<int64_t>(2, rows - r),
          keys, columns, scale,
          {s.zip + word, s.dzip + word, kVector, {s.ds + r * columns, s.ds + (r + 1) * columns}});
    }
  }

  void head(const Scratch& s, const std::array<HeadRows<const bf16>, 4>& in,
            const HeadRows<bf16>& dq) const {
    const auto& [q, k, v, dy] = in;
    const int64_t columns = whole_vectors(k.rows);
    const int64_t width = whole_vectors(k.width);
    pack_transposed(isa, k, product.panel(), s.keys);
    pack_transposed(isa, v, product.panel(), s.values);
    pack_rows(k, product.panel(), s.keys_by_row);
    for (int64_t first = 0; first < q.rows; first += block) {
      const int64_t rows = std::min(block, q.rows - first);
      const int64_t steps = steps_of<bf16>(k.width);
      product.run(rows, columns, steps, q.operand(first), s.keys, s.scores, columns, false);
      product.run(rows, columns, steps, dy.operand(first), s.values, s.dscores, columns, false);
      softmax_back(s, rows, columns, k.rows);
      const HeadRows<const bf16> ds{s.ds, rows, k.rows, columns};
      product.run(rows, width, steps_of<bf16>(k.rows), ds.operand(), s.keys_by_row, s.dq, width,
                  false);
      store(s.dq, width, dq.part(first, rows));
      // Row i of the transposed operands is key i, and a step goes to the next word of queries.
      pack_rows(q.part(first, rows), product.panel(), s.queries);
      pack_rows(dy.part(first, rows), product.panel(), s.dy);
      product.run(k.rows, width, steps_of<bf16>(rows), {s.dzip, 4, columns * 4}, s.queries, s.dk,
                  width, first > 0);
      product.run(k.rows, width, steps_of<bf16>(rows), {s.zip, 4, columns * 4}, s.dy, s.dv, width,
                  first > 0);
    }
  }

  static void store_sums(const float* sums, const HeadRows<bf16>& dk, const HeadRows<bf16>& dv) {
    const int64_t width = whole_vectors(dk.width);
    store(sums, width, dk);
    store(sums + whole_vectors(dk.rows) * width, width, dv);
  }
  static void store(const float* from, int64_t stride, const HeadRows<bf16>& to) {
    for (int64_t r = 0; r < to.rows; ++r) narrow_row(from + r * stride, to.width, 1.0f, to.row(r));
  }
};

}  // namespace grimace::cpu
