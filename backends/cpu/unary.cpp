// Elementwise ops whose operands all have the result's shape: y[i] = f(x[i]) or f(x[i], dy[i]).
// exp, erf and gelu use the approximations of vector_math.h. Split by elements; in place allowed.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "backends/cpu/bf16_rows.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/tile_product.h"
#include "backends/cpu/vector_math.h"
#include "ir/float16.h"

namespace grimace::cpu {
namespace {

template <typename F, typename T, typename R>
inline void map(const Context& cpu, const T* x, R* y, int64_t count, const F& f) {
  parallel_for(cpu, count, kGrain, [=](int64_t begin, int64_t end) {
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) y[i] = f(x[i]);
  });
}

template <typename R = float, typename F>
Kernel unary(const Operands& operands, const Context& cpu, F f) {
  return [cpu, f, x = operands.in[0].as<float>(), y = operands.out[0].as<R>().data()] {
    map(cpu, x.data(), y, static_cast<int64_t>(x.size()), f);
  };
}

struct Convert {
  template <typename T, typename R>
  static Kernel make(const Operands& operands, const Context& cpu) {
    return [cpu, x = operands.in[0].as<T>(), y = operands.out[0].as<R>().data()] {
      map(cpu, x.data(), y, static_cast<int64_t>(x.size()),
          [](T value) { return static_cast<R>(value); });
    };
  }
};

// Calls visit(T{}) for the types that cast knows; false for the others.
template <typename Visit>
bool with_castable(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::f32:
      return visit(float{}), true;
    case DType::bf16:
      return visit(bf16{}), true;
    case DType::i32:
      return visit(int32_t{}), true;
    case DType::i64:
      return visit(int64_t{}), true;
    case DType::u8:
      return visit(uint8_t{}), true;
    case DType::boolean:
      return visit(bool{}), true;
    default:
      return false;
  }
}

}  // namespace

void widen(const Context& cpu, const bf16* src, float* dst, int64_t count) {
  map(cpu, src, dst, count, [](bf16 value) { return static_cast<float>(value); });
}

void narrow(const Context& cpu, const float* src, bf16* dst, int64_t count) {
  map(cpu, src, dst, count, [](float value) { return bf16(value); });
}

bool serves_cast(const Node& node) {
  const auto any = [](auto) {};
  return (node.in(0).dtype == DType::f32 || node.out().dtype == DType::f32) &&
         with_castable(node.in(0).dtype, any) && with_castable(node.out().dtype, any);
}

Kernel make_cast(const Node& node, const Operands& operands, const Context& cpu) {
  Kernel kernel;
  if (node.in(0).dtype == DType::f32)
    with_castable(node.out().dtype,
                  [&](auto to) { kernel = Convert::make<float, decltype(to)>(operands, cpu); });
  else
    with_castable(node.in(0).dtype,
                  [&](auto from) { kernel = Convert::make<decltype(from), float>(operands, cpu); });
  return kernel;
}

Kernel make_neg(const Node&, const Operands& operands, const Context& cpu) {
  return unary(operands, cpu, [](float x) { return -x; });
}
Kernel make_exp(const Node&, const Operands& operands, const Context& cpu) {
  return unary(operands, cpu, [](float x) { return fast_exp(x); });
}
Kernel make_log(const Node&, const Operands& operands, const Context& cpu) {
  return unary(operands, cpu, [](float x) { return std::log(x); });
}
Kernel make_sqrt(const Node&, const Operands& operands, const Context& cpu) {
  return unary(operands, cpu, [](float x) { return std::sqrt(x); });
}
Kernel make_rsqrt(const Node&, const Operands& operands, const Context& cpu) {
  return unary(operands, cpu, [](float x) { return 1.0f / std::sqrt(x); });
}
Kernel make_erf(const Node&, const Operands& operands, const Context& cpu) {
  return unary(operands, cpu, [](float x) { return fast_erf(x); });
}
Kernel make_floor(const Node&, const Operands& operands, const Context& cpu) {
  return unary(operands, cpu, [](float x) { return std::floor(x); });
}
Kernel make_is_finite(const Node&, const Operands& operands, const Context& cpu) {
  return unary<bool>(operands, cpu, [](float x) { return std::fabs(x) <= FLT_MAX; });
}
// y[i] = f(i) rounded to bf16, chunk by chunk: f in vectors of f32, which the machine may have an
// instruction to round.
template <typename F>
void map_to_bf16(const Context& cpu, bf16* y, int64_t count, const F& f) {
  const bool rounds = has_bf16_pairs(cpu.isa);
  parallel_for(cpu, count, kGrain, [=](int64_t begin, int64_t end) {
    constexpr int64_t kChunk = 512;
    float chunk[kChunk];
    for (int64_t first = begin; first < end; first += kChunk) {
      const int64_t n = std::min(kChunk, end - first);
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) chunk[i] = f(first + i);
      if (rounds) {
        narrow_row(chunk, n, 1.0f, y + first);
        continue;
      }
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) y[first + i] = bf16(chunk[i]);
    }
  });
}

Kernel make_gelu(const Node& node, const Operands& operands, const Context& cpu) {
  if (node.in(0).dtype == DType::f32)
    return unary(operands, cpu, [](float x) { return x * normal_cdf(x, fast_exp(-0.5f * x * x)); });
  return [cpu, x = operands.in[0].as<bf16>(), y = operands.out[0].as<bf16>().data()] {
    map_to_bf16(cpu, y, static_cast<int64_t>(x.size()),
                [x = x.data()](int64_t i) { return coarse_gelu(static_cast<float>(x[i])); });
  };
}

// dx = dy (cdf(x) + x pdf(x)); in f32, cdf and pdf share one exponential.
Kernel make_gelu_grad(const Node& node, const Operands& operands, const Context& cpu) {
  if (node.in(0).dtype == DType::f32)
    return [cpu, x = operands.in[0].as<float>().data(), dy = operands.in[1].as<float>().data(),
            dx = operands.out[0].as<float>()] {
      parallel_for(cpu, static_cast<int64_t>(dx.size()), kGrain,
                   [x, dy, dx = dx.data()](int64_t begin, int64_t end) {
#pragma GCC ivdep
                     for (int64_t i = begin; i < end; ++i) {
                       const float e = fast_exp(-0.5f * x[i] * x[i]);
                       dx[i] = dy[i] * (normal_cdf(x[i], e) + x[i] * e * kInvSqrt2Pi);
                     }
                   });
    };
  return [cpu, x = operands.in[0].as<bf16>().data(), dy = operands.in[1].as<bf16>().data(),
          dx = operands.out[0].as<bf16>()] {
    map_to_bf16(cpu, dx.data(), static_cast<int64_t>(dx.size()), [x, dy](int64_t i) {
      return static_cast<float>(dy[i]) * coarse_gelu_slope(static_cast<float>(x[i]));
    });
  };
}

}  // namespace grimace::cpu
