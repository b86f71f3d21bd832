// exp, erf and the normal distribution in float, free of branches and calls so that loops over them
// become vectors. The polynomials are weighted least-squares fits on Chebyshev nodes, the coarse
// ones minimax; the errors stated are proved by tests/backends/cpu_gelu_test.cpp against the C
// library in double.
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

// What follows is for results in bf16, of which half a unit is 2e-3 to 4e-3 of their value.

// 2^t within 3e-6 of itself for t <= 0; below -126.5 it is zero. NaN stays NaN.
inline float coarse_exp2(float t) {
  constexpr float kRound = 12582912.0f;  // as above
  t = t < -127.0f ? -127.0f : t;
  const float shifted = t + kRound;
  const float f = t - (shifted - kRound);
  const uint32_t exponent = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound);
  return polynomial(f, 0.9999992847442627f, 0.6931217908859253f, 0.240247443318367f,
                    0.05591785907745361f, 0.009570102207362652f) *
         std::bit_cast<float>((exponent + 127u) << 23);
}

// The normal distribution below x <= 0, given t = -x, is 2^P(t), so that neither an exponential of
// the square nor a quotient is needed: within 8e-5 of itself to t = 9. Beyond, where it is less
// than 2e-19, it falls to zero.
inline float coarse_gelu(float x) {
  const float t = std::fabs(x);
  const float tail =
      coarse_exp2(polynomial(t, -1.000098466873169f, -1.149892807006836f, -0.46146970987319946f,
                             -0.051446352154016495f, 0.007502893451601267f, -0.0007236089440993965f,
                             4.039742998429574e-05f, -9.77758986664412e-07f));
  return x * (x < 0.0f ? tail : 1.0f - tail);
}

// cdf(x) + x pdf(x), which is g(-x) = e^(-x^2 / 2) R(|x|) below zero and 1 - g above, within 5e-5
// absolute, and within 1.2e-4 of itself from -8 to -1.5.
inline float coarse_gelu_slope(float x) {
  const float t = std::fabs(x);
  const float e = coarse_exp2(-0.72134752044448170f * t * t);
  const float g =
      e * polynomial(t > 8.0f ? 8.0f : t, 0.49995899200439453f, -0.7964810132980347f,
                     0.24201583862304688f, -0.11493673920631409f, 0.040780846029520035f,
                     -0.01023166161030531f, 0.001723090885207057f, -0.00018304248806089163f,
                     1.1007005014107563e-05f, -2.8443608357520134e-07f);
  return x < 0.0f ? g : 1.0f - g;
}

}  // namespace grimace::cpu
