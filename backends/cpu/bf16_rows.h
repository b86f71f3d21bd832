// Rows of f32 rounded to bf16 by the machine's own instructions: only where has_bf16_pairs().
#pragma once

#include <cstdint>

#include "ir/float16.h"

namespace grimace::cpu {

// scale x, rounded to nearest even; results too small to be normal become zero.
void narrow_row(const float* x, int64_t count, float scale, bf16* out);
// Squares of 16 words on their way from rows to columns; what is missing counts as zeros.
// out[w * out_stride + r] = word w of row r, of `rows` rows of `words` words, `stride` bytes apart.
void transpose_words(const void* from, int64_t stride, int64_t rows, int64_t words, uint32_t* out,
                     int64_t out_stride = 16);
// out[c * out_stride + s] = element c of row 2 s in its low half, of row 2 s + 1 in its high half,
// of `rows` rows of `columns` elements, `stride` elements apart.
void transpose_pairs(const bf16* from, int64_t stride, int64_t rows, int64_t columns, uint32_t* out,
                     int64_t out_stride);

// Words of two rows, a[i] in the low half and b[i] in the high half, in vectors of 16 that lie
// `vector_step` words apart; zeros from `count` on. Without a row (null) zeros stand for it.
void zip_rows(const bf16* a, const bf16* b, int64_t count, uint32_t* out, int64_t vector_step);

}  // namespace grimace::cpu
