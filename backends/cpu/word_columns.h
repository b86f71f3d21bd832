// Rows of 32-bit words become columns, as b of a product whose columns are rows somewhere else.
#pragma once

#include <cstdint>

#include "backends/cpu/isa.h"

namespace grimace::cpu {

// out[w * out_stride + r] = word w of row r, for 16 rows of `words` words, `stride` bytes apart.
// Rows from `rows` on are not read and count as zeros.
void words_to_columns(Isa isa, const void* from, int64_t stride, int64_t rows, int64_t words,
                      uint32_t* out, int64_t out_stride);

}  // namespace grimace::cpu
