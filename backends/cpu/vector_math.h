// exp, erf and the normal distribution in float, free of branches and calls so that loops over them
// become vectors. The polynomials are weighted least-squares fits on Chebyshev nodes; the errors
// stated are proved by tests/backends/cpu_gelu_test.cpp against the C library in double.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace grimace::cpu {

constexpr float kInvSqrt2 = 0.70710678118654752f;
constexpr float kInvSqrt2Pi = 0.39894228040143268f;

template <typename... Rest>
inline float polynomial(float x, float c0, Rest... rest) {
  if constexpr (sizeof...(rest) == 0)
    return c0;
  else
    return polynomial(x, rest...) * x + c0;
}

// x = n ln 2 + r with |r| <= ln 2 / 2: gives e^r = 1 + r + r^2 P(r), and n in the low bits of `n`.
inline float exp_of_rest(float x, uint32_t& n) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504088896341f + kRound;
  const float whole = shifted - kRound;
  const float r = (x - whole * 0x1.62e4p-1f) - whole * 1.42860682030941723e-6f;
  const float p = polynomial(r, 0.5f, 0.16666577756404877f, 0.04166685417294502f,
                             0.008363144472241402f, 0.0013901282800361514f);
  n = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound);
  return 1.0f + (r + r * r * p);
}

// e^x within 2 ulp, denormal results and infinities included; NaN stays NaN.
inline float fast_exp(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  uint32_t n = 0;
  const float e = exp_of_rest(x, n);
  // 2^n in two factors: neither overflows where the product does not.
  const auto exponent = static_cast<int32_t>(n);
  const int32_t half = exponent >> 1;
  const auto power = [](int32_t k) {
    return std::bit_cast<float>((static_cast<uint32_t>(k) + 127u) << 23);
  };
  return e * power(half) * power(exponent - half);
}

// The same for x <= 0, as softmax needs it: x below -86 counts as -86, so that adding n to the
// exponent is enough.
inline float fast_exp_below_zero(float x) {
  uint32_t n = 0;
  const float e = exp_of_rest(x < -86.0f ? -86.0f : x, n);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(e) + (n << 23));
}

// erfc(t) / e^(-t^2) for t >= 0: q P(q) with q = 1 / (1 + 0.35 t).
inline float scaled_erfc(float t) {
  const float q = 1.0f / (1.0f + 0.35f * t);
  return q * polynomial(q, 0.19749397039413452f, 0.19695624709129333f, 0.18930354714393616f,
                        0.14508923888206482f, 0.16259640455245972f, 0.05789286643266678f,
                        0.005552051123231649f, 0.15765735507011414f, -0.149222269654274f,
                        0.036680568009614944f);
}

// erf(x) within 2 ulp.
inline float fast_erf(float x) {
  const float t = std::fabs(x);
  const float s = x * x;
  const float near_zero =
      x + x * polynomial(s, 0.12837916612625122f, -0.3761262893676758f, 0.11283652484416962f,
                         -0.02685764990746975f, 0.005197641905397177f, -0.0008110718335956335f,
                         8.251608960563317e-05f);
  const float far = std::copysign(1.0f - fast_exp(-s) * scaled_erfc(t), x);
  return t < 0.9f ? near_zero : far;
}

// (1 + erf(x / sqrt 2)) / 2, given e = e^(-x^2 / 2), within 1e-7 absolute: the tail is computed
// as itself, so nothing cancels for large negative x.
inline float normal_cdf(float x, float e) {
  const float tail = 0.5f * e * scaled_erfc(std::fabs(x) * kInvSqrt2);
  return x < 0.0f ? tail : 1.0f - tail;
}

}  // namespace grimace::cpu
