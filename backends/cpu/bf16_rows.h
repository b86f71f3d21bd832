// Rows of f32 rounded to bf16 by the machine's own instructions: only where has_bf16_pairs().
#pragma once

#include <cstdint>

#include "ir/float16.h"

namespace grimace::cpu {

// Rounds to nearest even; results too small to be normal become zero.
void narrow_row(const float* x, int64_t count, bf16* out);
// A square of words on its way from rows to columns: out[w * 16 + r] = word w of row r, for 16 rows
// `stride` bytes apart. Rows from `rows` on and words from `words` on count as zeros.
void transpose_words(const void* from, int64_t stride, int64_t rows, int64_t words, uint32_t* out);
// 16 words of two rows: out[i] = a[i] in its low half, b[i] in its high half; zeros from `count`
// on. Without a row (null) zeros stand for it.
void zip_words(const bf16* a, const bf16* b, int64_t count, uint32_t* out);

}  // namespace grimace::cpu
