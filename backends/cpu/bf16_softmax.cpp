#include "backends/cpu/bf16_softmax.h"

#include <immintrin.h>

#include <limits>

namespace grimace::cpu {
namespace {

#define GRIMACE_AVX512 [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16")]]

constexpr int64_t kStep = 16;
constexpr float kLog2e = 1.44269504088896341f;
// Masked forms of what needs no mask: g++ 12 takes the others for reads of uninitialised registers.
constexpr __mmask16 kAll = 0xffff;

GRIMACE_AVX512 inline __mmask16 first(int64_t count) {
  return static_cast<__mmask16>(count >= kStep ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

// 2^t within 7.5e-5 of itself (a minimax cubic of the fraction), a thirtieth of a rounding to bf16.
GRIMACE_AVX512 inline __m512 power_of_two(__m512 t) {
  constexpr int kFraction = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;  // t - floor(t)
  const __m512 f = _mm512_maskz_reduce_ps(kAll, t, kFraction);
  __m512 p = _mm512_set1_ps(0.07802452147006989f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.22606715559959412f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.6958335638046265f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.9999251961708069f));
  return _mm512_maskz_scalef_ps(kAll, p, t);
}

enum class Fold : uint8_t { sum, top };

template <Fold Kind>
GRIMACE_AVX512 inline __m512 fold(__m512 a, __m512 b) {
  return Kind == Fold::sum ? _mm512_add_ps(a, b) : _mm512_maskz_max_ps(kAll, a, b);
}
// Every lane becomes the sum or the top of all.
template <Fold Kind>
GRIMACE_AVX512 inline __m512 folded(__m512 x) {
  x = fold<Kind>(x, _mm512_maskz_shuffle_f32x4(kAll, x, x, 0x4e));
  x = fold<Kind>(x, _mm512_maskz_shuffle_f32x4(kAll, x, x, 0xb1));
  x = fold<Kind>(x, _mm512_maskz_permute_ps(kAll, x, 0x4e));
  return fold<Kind>(x, _mm512_maskz_permute_ps(kAll, x, 0xb1));
}
GRIMACE_AVX512 inline float sum_of(__m512 x) {
  return _mm512_cvtss_f32(folded<Fold::sum>(x));
}

// e^(scale (x - top)) as 2^(x factor - shift). That shift is rounded moves a whole row alike, which
// dividing by its sum undoes.
struct Exponent {
  __m512 factor;
  __m512 shift;
  GRIMACE_AVX512 __m512 of(__m512 x) const {
    return power_of_two(_mm512_fmsub_ps(x, factor, shift));
  }
};

GRIMACE_AVX512 inline Exponent exponent(const float* x, int64_t keys, float scale) {
  const __m512 factor = _mm512_set1_ps(scale * kLog2e);
  const __m512 lowest = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  __m512 top[2] = {lowest, lowest};  // two, so that neither waits for the other
  for (int64_t c = 0; c < keys; c += 2 * kStep)
    for (int i = 0; i < 2; ++i) {
      const int64_t at = c + i * kStep;
      const __mmask16 mask = first(keys - at);
      const __m512 y = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + at), factor);
      top[i] = _mm512_mask_max_ps(top[i], mask, y, top[i]);
    }
  return {factor, folded<Fold::top>(_mm512_maskz_max_ps(kAll, top[0], top[1]))};
}

}  // namespace

GRIMACE_AVX512 float softmax_row(const float* x, int64_t keys, int64_t columns, float scale,
                                 bf16* out) {
  const Exponent e = exponent(x, keys, scale);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t c = 0; c < columns; c += kStep) {
    const __mmask16 mask = first(keys - c);
    const __m512 y = _mm512_maskz_mov_ps(mask, e.of(_mm512_maskz_loadu_ps(mask, x + c)));
    sum = _mm512_add_ps(sum, y);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + c),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(y)));
  }
  return sum_of(sum);
}

namespace {

// What a row's second pass finds: x became the exponentials.
struct RowFactors {
  float norm = 0.0f;  // 1 / sum
  float mean = 0.0f;  // of dw, weighted
};

GRIMACE_AVX512 inline RowFactors exponentials(float* x, const float* dw, int64_t keys,
                                              float scale) {
  const Exponent e = exponent(x, keys, scale);
  __m512 sum = _mm512_setzero_ps();
  __m512 dot = _mm512_setzero_ps();
  for (int64_t c = 0; c < keys; c += kStep) {
    const __mmask16 mask = first(keys - c);
    const __m512 y = _mm512_maskz_mov_ps(mask, e.of(_mm512_maskz_loadu_ps(mask, x + c)));
    _mm512_mask_storeu_ps(x + c, mask, y);
    sum = _mm512_add_ps(sum, y);
    dot = _mm512_fmadd_ps(y, _mm512_maskz_loadu_ps(mask, dw + c), dot);
  }
  const float norm = 1.0f / sum_of(sum);
  return {norm, norm * sum_of(dot)};
}

// 16 words of two rows from 16 numbers of each; `rounded` has those of the first, then the second.
GRIMACE_AVX512 inline __m512i words_of(__m512i rounded) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, rounded);
}

GRIMACE_AVX512 inline __m512i rounded(__m512 first, __m512 second) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
}

}  // namespace

GRIMACE_AVX512 void softmax_pair_back(float* x, const float* dw, int64_t stride, int64_t rows,
                                      int64_t keys, int64_t columns, float scale,
                                      const SoftmaxPair& out) {
  RowFactors factors[2];
  for (int64_t i = 0; i < rows; ++i)
    factors[i] = exponentials(x + i * stride, dw + i * stride, keys, scale);
  for (int64_t c = 0, word = 0; c < columns; c += kStep, word += out.vector_step) {
    const __mmask16 mask = first(keys - c);
    __m512 w[2];
    __m512 d[2];
    for (int64_t i = 0; i < 2; ++i) {
      const __mmask16 kept = i < rows ? mask : 0;
      const __m512 norm = _mm512_set1_ps(factors[i].norm);
      const __m512 mean = _mm512_set1_ps(factors[i].mean);
      w[i] = _mm512_mul_ps(_mm512_maskz_loadu_ps(kept, x + i * stride + c), norm);
      d[i] = _mm512_sub_ps(_mm512_maskz_loadu_ps(kept, dw + i * stride + c), mean);
      d[i] = _mm512_maskz_mul_ps(kept, _mm512_mul_ps(w[i], d[i]), _mm512_set1_ps(scale));
    }
    const __m512i gradient = rounded(d[0], d[1]);
    _mm512_storeu_si512(out.weights + word, words_of(rounded(w[0], w[1])));
    _mm512_storeu_si512(out.gradient + word, words_of(gradient));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.gradient_rows[0] + c),
                        _mm512_maskz_extracti64x4_epi64(0xff, gradient, 0));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.gradient_rows[1] + c),
                        _mm512_maskz_extracti64x4_epi64(0xff, gradient, 1));
  }
}

#undef GRIMACE_AVX512

}  // namespace grimace::cpu
