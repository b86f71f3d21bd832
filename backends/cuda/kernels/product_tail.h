// What follows a matrix product where the library that computes it cannot: one pass over its result
// in place, y = gelu(y + bias) + residual, each part optional; and vectors rounded to 16 bits.
#pragma once

#include "backends/cuda/launch.h"
#include "ir/types.h"

namespace grimace::cuda {

struct ProductTail {
  DType dtype = DType::f32;  // of y: f32, bf16 or f16
  int64_t rows = 0, cols = 0;
  bool product = true;  // false: y holds nothing yet, and counts as zero
  bool add_bias = false, gelu = false, add_residual = false;
  const float* bias = nullptr;      // [cols]
  const float* residual = nullptr;  // [rows,cols]
  void* y = nullptr;
  int multiprocessors = 1;  // sizes the grid

  bool empty() const { return product && !add_bias && !gelu && !add_residual; }
};
// "bias + gelu, grid 1056, 256 threads"
std::string to_string(const ProductTail& tail);
void launch_product_tail(const ProductTail& tail, cudaStream_t stream);

// out[i] = values[i] rounded to `to`, bf16 or f16.
void launch_round(const float* values, int64_t count, DType to, void* out, cudaStream_t stream);

}  // namespace grimace::cuda
