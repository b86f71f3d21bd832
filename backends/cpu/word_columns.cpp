#include "backends/cpu/word_columns.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/bf16_rows.h"

namespace grimace::cpu {
namespace {

constexpr int64_t kColumns = 16;
constexpr int64_t kHalf = kColumns / 2;

// Words [begin, words), one by one.
void singly(const char* from, int64_t stride, int64_t rows, int64_t begin, int64_t words,
            uint32_t* out, int64_t out_stride) {
  for (int64_t w = begin; w < words; ++w)
    for (int64_t r = 0; r < kColumns; ++r) {
      uint32_t word = 0;
      if (r < rows) std::memcpy(&word, from + r * stride + w * 4, sizeof(word));
      out[w * out_stride + r] = word;
    }
}

#define GRIMACE_AVX2 [[gnu::target("avx2")]]

// A square of 8. Three rounds; each puts side by side what was 1, 2 and 4 rows apart.
GRIMACE_AVX2 inline void square_of_8(const char* from, int64_t stride, int64_t rows, uint32_t* out,
                                     int64_t out_stride) {
  __m256 x[kHalf];
  __m256 y[kHalf];
#pragma GCC unroll 8
  for (int64_t r = 0; r < kHalf; ++r)
    x[r] = r < rows ? _mm256_loadu_ps(reinterpret_cast<const float*>(from + r * stride))
                    : _mm256_setzero_ps();
#pragma GCC unroll 4
  for (int64_t r = 0; r < kHalf; r += 2) {
    y[r] = _mm256_unpacklo_ps(x[r], x[r + 1]);
    y[r + 1] = _mm256_unpackhi_ps(x[r], x[r + 1]);
  }
#pragma GCC unroll 2
  for (int64_t r = 0; r < kHalf; r += 4)
#pragma GCC unroll 2
    for (int64_t i = 0; i < 2; ++i) {
      x[r + 2 * i] = _mm256_shuffle_ps(y[r + i], y[r + 2 + i], 0x44);
      x[r + 2 * i + 1] = _mm256_shuffle_ps(y[r + i], y[r + 2 + i], 0xee);
    }
#pragma GCC unroll 4
  for (int64_t w = 0; w < 4; ++w) {
    float* to = reinterpret_cast<float*>(out + w * out_stride);
    _mm256_storeu_ps(to, _mm256_permute2f128_ps(x[w], x[4 + w], 0x20));
    _mm256_storeu_ps(to + 4 * out_stride, _mm256_permute2f128_ps(x[w], x[4 + w], 0x31));
  }
}

// Returns the words that are done.
GRIMACE_AVX2 int64_t squares_of_8(const char* from, int64_t stride, int64_t rows, int64_t words,
                                  uint32_t* out, int64_t out_stride) {
  int64_t w = 0;
  for (; w + kHalf <= words; w += kHalf)
    for (int64_t r = 0; r < kColumns; r += kHalf)
      square_of_8(from + r * stride + w * 4, stride, rows - r, out + w * out_stride + r,
                  out_stride);
  return w;
}

#undef GRIMACE_AVX2

}  // namespace

void words_to_columns(Isa isa, const void* from, int64_t stride, int64_t rows, int64_t words,
                      uint32_t* out, int64_t out_stride) {
  const auto* bytes = static_cast<const char*>(from);
  int64_t done = 0;
  if (isa >= Isa::avx512) {
    for (; done + kColumns <= words; done += kColumns)
      transpose_words(bytes + done * 4, stride, rows, kColumns, out + done * out_stride,
                      out_stride);
  } else if (isa == Isa::avx2) {
    done = squares_of_8(bytes, stride, rows, words, out, out_stride);
  }
  singly(bytes, stride, rows, done, words, out, out_stride);
}

}  // namespace grimace::cpu
