// bf16 and f16 as storage types: round to nearest even from float, exact back to float.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace grimace {

struct bf16 {
  uint16_t bits = 0;

  bf16() = default;
  explicit bf16(float value) {
    uint32_t u = std::bit_cast<uint32_t>(value);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
      bits = static_cast<uint16_t>((u >> 16) | 0x40u);  // a NaN stays one, made quiet
    } else {
      bits = static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

struct f16 {
  uint16_t bits = 0;

  f16() = default;
  explicit f16(float value) : bits(encode(value)) {}
  explicit operator float() const { return decode(bits); }

 private:
  static uint16_t encode(float value) {
    const uint32_t u = std::bit_cast<uint32_t>(value);
    const uint16_t sign = static_cast<uint16_t>((u >> 16) & 0x8000u);
    const float a = std::fabs(value);
    if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7e00u);
    if (a == 0.0f) return sign;
    if (a >= 65520.0f) return static_cast<uint16_t>(sign | 0x7c00u);
    int exponent = 0;
    std::frexp(a, &exponent);                                   // a = m 2^exponent, m in [0.5, 1)
    const int lsb = exponent - 11 < -24 ? -24 : exponent - 11;  // weight of the last bit kept
    const auto mantissa = static_cast<uint32_t>(std::nearbyint(std::ldexp(a, -lsb)));
    if (lsb == -24) return static_cast<uint16_t>(sign | mantissa);  // subnormal, or just normal
    return static_cast<uint16_t>(sign | ((static_cast<uint32_t>(lsb + 24) << 10) + mantissa));
  }
  static float decode(uint16_t h) {
    const int exponent = (h >> 10) & 0x1f;
    const int mantissa = h & 0x3ff;
    const float sign = (h & 0x8000) != 0 ? -1.0f : 1.0f;
    if (exponent == 31) return mantissa != 0 ? std::nanf("") : sign * HUGE_VALF;
    if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
    return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  }
};

}  // namespace grimace
