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

// 16 numbers as bf16 in the low halves of 32-bit words.
[[gnu::target("avx512f,avx512bf16")]] inline __m512i words(const float* x, __mmask16 mask) {
  const __m256bh narrow = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x));
  return _mm512_maskz_cvtepu16_epi32(kAll, reinterpret_cast<__m256i>(narrow));
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

[[gnu::target("avx512f,avx512bf16")]] void zip_rows(const float* a, const float* b, int64_t count,
                                                    uint32_t* out) {
  for (int64_t i = 0; i < count; i += kStep) {
    const __mmask16 mask = first(count - i);
    const __m512i high = _mm512_maskz_slli_epi32(kAll, words(b + i, mask), 16);
    _mm512_mask_storeu_epi32(out + i, mask, _mm512_or_si512(words(a + i, mask), high));
  }
}

}  // namespace grimace::cpu
