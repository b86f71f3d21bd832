#include "backends/cpu/bf16_rows.h"

#include <immintrin.h>

namespace grimace::cpu {
namespace {

constexpr int64_t kStep = 16;
// Masked forms of what needs no mask: g++ 12 takes the others for reads of uninitialised registers.
constexpr __mmask16 kAll = 0xffff;

[[gnu::target("avx512f")]] inline __mmask16 first(int64_t count) {
  return static_cast<__mmask16>(count >= kStep ? 0xffff : (1 << count) - 1);
}

#define GRIMACE_AVX512 [[gnu::target("avx512f,avx512vl,avx512bw")]]

GRIMACE_AVX512 inline __m512i zipped(const bf16* a, const bf16* b, __mmask16 mask) {
  const __m256i low = _mm256_maskz_loadu_epi16(a == nullptr ? __mmask16{0} : mask, a);
  const __m256i high = _mm256_maskz_loadu_epi16(b == nullptr ? __mmask16{0} : mask, b);
  return _mm512_or_si512(
      _mm512_maskz_cvtepu16_epi32(kAll, low),
      _mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, high), 16));
}

// Columns of x, `stride` words apart. Four rounds; each puts side by side what was 1, 2, 4 and 8
// rows apart.
GRIMACE_AVX512 inline void store_columns(__m512i (&x)[kStep], uint32_t* out, int64_t stride) {
  __m512i y[kStep];
#pragma GCC unroll 8
  for (int r = 0; r < kStep; r += 2) {
    y[r] = _mm512_maskz_unpacklo_epi32(kAll, x[r], x[r + 1]);
    y[r + 1] = _mm512_maskz_unpackhi_epi32(kAll, x[r], x[r + 1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kStep; r += 4)
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      x[r + 2 * i] = _mm512_maskz_unpacklo_epi64(0xff, y[r + i], y[r + 2 + i]);
      x[r + 2 * i + 1] = _mm512_maskz_unpackhi_epi64(0xff, y[r + i], y[r + 2 + i]);
    }
    // x[4 g + c]: columns c, c + 4, c + 8, c + 12 of rows 4 g to 4 g + 3, a quarter each.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i even01 = _mm512_maskz_shuffle_i32x4(kAll, x[c], x[4 + c], 0x88);
    const __m512i odd01 = _mm512_maskz_shuffle_i32x4(kAll, x[c], x[4 + c], 0xdd);
    const __m512i even23 = _mm512_maskz_shuffle_i32x4(kAll, x[8 + c], x[12 + c], 0x88);
    const __m512i odd23 = _mm512_maskz_shuffle_i32x4(kAll, x[8 + c], x[12 + c], 0xdd);
    uint32_t* to = out + c * stride;
    _mm512_storeu_si512(to, _mm512_maskz_shuffle_i32x4(kAll, even01, even23, 0x88));
    _mm512_storeu_si512(to + 4 * stride, _mm512_maskz_shuffle_i32x4(kAll, odd01, odd23, 0x88));
    _mm512_storeu_si512(to + 8 * stride, _mm512_maskz_shuffle_i32x4(kAll, even01, even23, 0xdd));
    _mm512_storeu_si512(to + 12 * stride, _mm512_maskz_shuffle_i32x4(kAll, odd01, odd23, 0xdd));
  }
}

}  // namespace

[[gnu::target("avx512f,avx512vl,avx512bw,avx512bf16")]] void narrow_row(const float* x,
                                                                        int64_t count, float scale,
                                                                        bf16* out) {
  for (int64_t i = 0; i < count; i += kStep) {
    const __mmask16 mask = first(count - i);
    const __m256bh narrow = _mm512_cvtneps_pbh(
        _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_maskz_loadu_ps(mask, x + i)));
    _mm256_mask_storeu_epi16(out + i, mask, reinterpret_cast<__m256i>(narrow));
  }
}

GRIMACE_AVX512 void zip_rows(const bf16* a, const bf16* b, int64_t count, uint32_t* out,
                             int64_t vector_step) {
  for (int64_t i = 0; i < count; i += kStep, out += vector_step)
    _mm512_storeu_si512(
        out, zipped(a == nullptr ? a : a + i, b == nullptr ? b : b + i, first(count - i)));
}

GRIMACE_AVX512 void transpose_words(const void* from, int64_t stride, int64_t rows, int64_t words,
                                    uint32_t* out, int64_t out_stride) {
  __m512i x[kStep];
  for (int64_t r = 0; r < kStep; ++r)
    x[r] = _mm512_maskz_loadu_epi32(r < rows ? first(words) : __mmask16{0},
                                    static_cast<const char*>(from) + r * stride);
  store_columns(x, out, out_stride);
}

GRIMACE_AVX512 void transpose_pairs(const bf16* from, int64_t stride, int64_t rows, int64_t columns,
                                    uint32_t* out, int64_t out_stride) {
  const auto row = [=](int64_t r) { return r < rows ? from + r * stride : nullptr; };
  __m512i x[kStep];
  for (int64_t s = 0; s < kStep; ++s) x[s] = zipped(row(2 * s), row(2 * s + 1), first(columns));
  store_columns(x, out, out_stride);
}

#undef GRIMACE_AVX512

}  // namespace grimace::cpu
