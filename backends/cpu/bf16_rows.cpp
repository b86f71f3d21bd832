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

}  // namespace

[[gnu::target("avx512f,avx512vl,avx512bw,avx512bf16")]] void narrow_row(const float* x,
                                                                        int64_t count, bf16* out) {
  for (int64_t i = 0; i < count; i += kStep) {
    const __mmask16 mask = first(count - i);
    const __m256bh narrow = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x + i));
    _mm256_mask_storeu_epi16(out + i, mask, reinterpret_cast<__m256i>(narrow));
  }
}

[[gnu::target("avx512f,avx512vl,avx512bw")]] void zip_words(const bf16* a, const bf16* b,
                                                            int64_t count, uint32_t* out) {
  const __mmask16 mask = first(count);
  const auto words = [mask](const bf16* row) __attribute__((target("avx512f,avx512vl,avx512bw"))) {
    const __mmask16 kept = row == nullptr ? __mmask16{0} : mask;
    return _mm512_maskz_cvtepu16_epi32(kAll, _mm256_maskz_loadu_epi16(kept, row));
  };
  const __m512i high = _mm512_maskz_slli_epi32(kAll, words(b), 16);
  _mm512_storeu_si512(out, _mm512_or_si512(words(a), high));
}

// Four rounds; each puts side by side what was 1, 2, 4 and 8 rows apart.
[[gnu::target("avx512f")]] void transpose_words(const void* from, int64_t stride, int64_t rows,
                                                int64_t words, uint32_t* out) {
  __m512i x[kStep];
  __m512i y[kStep];
  for (int64_t r = 0; r < kStep; ++r)
    x[r] = _mm512_maskz_loadu_epi32(r < rows ? first(words) : __mmask16{0},
                                    static_cast<const char*>(from) + r * stride);
#pragma GCC unroll 8
  for (int r = 0; r < kStep; r += 2) {
    y[r] = _mm512_maskz_unpacklo_epi32(kAll, x[r], x[r + 1]);
    y[r + 1] = _mm512_maskz_unpackhi_epi32(kAll, x[r], x[r + 1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kStep; r += 4) {
    for (int i = 0; i < 2; ++i) {
      x[r + 2 * i] = _mm512_maskz_unpacklo_epi64(0xff, y[r + i], y[r + 2 + i]);
      x[r + 2 * i + 1] = _mm512_maskz_unpackhi_epi64(0xff, y[r + i], y[r + 2 + i]);
    }
  }
  // x[4 g + c]: columns c, c + 4, c + 8, c + 12 of rows 4 g to 4 g + 3, a quarter each.
  for (int c = 0; c < 4; ++c) {
    const __m512i low01 = _mm512_maskz_shuffle_i32x4(kAll, x[c], x[4 + c], 0x88);
    const __m512i high01 = _mm512_maskz_shuffle_i32x4(kAll, x[c], x[4 + c], 0xdd);
    const __m512i low23 = _mm512_maskz_shuffle_i32x4(kAll, x[8 + c], x[12 + c], 0x88);
    const __m512i high23 = _mm512_maskz_shuffle_i32x4(kAll, x[8 + c], x[12 + c], 0xdd);
    _mm512_storeu_si512(out + c * kStep, _mm512_maskz_shuffle_i32x4(kAll, low01, low23, 0x88));
    _mm512_storeu_si512(out + (c + 4) * kStep,
                        _mm512_maskz_shuffle_i32x4(kAll, high01, high23, 0x88));
    _mm512_storeu_si512(out + (c + 8) * kStep,
                        _mm512_maskz_shuffle_i32x4(kAll, low01, low23, 0xdd));
    _mm512_storeu_si512(out + (c + 12) * kStep,
                        _mm512_maskz_shuffle_i32x4(kAll, high01, high23, 0xdd));
  }
}

}  // namespace grimace::cpu
