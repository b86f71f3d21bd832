// Products small enough to stay in one core's caches, for kernels that do more than multiply: c
// [m,n] = a b or c + a b, one thread, f32 sums. Operands are words of 32 bits: one f32, or a pair
// of bf16 that are neighbours along the inner dimension.
#pragma once

#include <cstdint>

#include "backends/cpu/isa.h"

namespace grimace::cpu {

constexpr int64_t kVector = 16;  // words

inline int64_t whole_vectors(int64_t columns) {
  return (columns + kVector - 1) / kVector * kVector;
}

// Whether this machine multiplies pairs of bf16 faster than f32.
bool has_bf16_pairs(Isa isa);

// Word (row i, step s) of a lies at data + i row + s step (bytes).
struct TileOperand {
  const void* data;
  int64_t row;
  int64_t step;
};

class TileProduct {
 public:
  TileProduct(Isa isa, bool pairs);

  // b is packed in panels of panel() columns, the last one narrower: a panel holds its columns of
  // step 0, of step 1, ... So word (step, column) of panel p, w columns wide, lies at
  // p panel() steps + step w + (column - p panel()).
  int64_t panel() const { return panel_; }
  // n: a multiple of kVector; c has rows of ldc floats.
  void run(int64_t m, int64_t n, int64_t steps, TileOperand a, const void* b, float* c, int64_t ldc,
           bool accumulate) const;

  using Tile = void (*)(int64_t steps, const char* a, int64_t a_row, int64_t a_step, const void* b,
                        float* c, int64_t ldc, bool accumulate);
  static constexpr int kRows = 6;
  static constexpr int kVectors = 4;
  struct Tiles {
    Tile tile[kRows][kVectors];  // by rows - 1 and vectors - 1
  };

 private:
  const Tiles* tiles_;
  int64_t panel_;
};

}  // namespace grimace::cpu
