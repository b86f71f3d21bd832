// Rows of f32 rounded to bf16 by the machine's own instructions: only where has_bf16_pairs().
#pragma once

#include <cstdint>

#include "ir/float16.h"

namespace grimace::cpu {

// Rounds to nearest even; results too small to be normal become zero.
void narrow_row(const float* x, int64_t count, bf16* out);
// out[i] = a[i] in its low half, b[i] in its high half.
void zip_rows(const float* a, const float* b, int64_t count, uint32_t* out);

}  // namespace grimace::cpu
