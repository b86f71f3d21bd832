// Rows of attention weights on their way from f32 scores to the bf16 operands of the next product.
// Exponentials bound attention once its products are fast, so these rows are written for AVX-512
// directly: every score is read twice (top, then exponential) and rounded in the register that made
// it. Only where has_bf16_pairs().
#pragma once

#include <cstdint>

#include "ir/float16.h"

namespace grimace::cpu {

// e^(scale (x - top)) in bf16 within 0.501 ulp, with the top of scale x as top; zeros up to
// `columns`, a multiple of 16. Returns the sum of what was not yet rounded. NaN stays NaN.
float softmax_row(const float* x, int64_t keys, int64_t columns, float scale, bf16* out);

// Where two rows of weights and two of their gradients go. Words hold both rows, the first in the
// low half; vector v of 16 words lies at v * vector_step.
struct SoftmaxPair {
  uint32_t* weights;
  uint32_t* gradient;
  int64_t vector_step;
  bf16* gradient_rows[2];  // the gradient once more, row by row
};

// x: rows of scores, dw: of the gradient of their weights, `stride` floats apart; 1 or 2 `rows`,
// a missing second row counts as zeros. The gradient is that of x. Everything is zero from `keys`
// up to `columns`, a multiple of 16. x is overwritten.
void softmax_pair_back(float* x, const float* dw, int64_t stride, int64_t rows, int64_t keys,
                       int64_t columns, float scale, const SoftmaxPair& out);

}  // namespace grimace::cpu
