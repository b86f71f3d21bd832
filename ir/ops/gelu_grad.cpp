// dx = dy * (0.5 (1 + erf(x / sqrt 2)) + x e^(-x^2/2) / sqrt(2 pi)): the gradient of gelu.
#include <cmath>
#include <numbers>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

constexpr double kInvSqrt2 = std::numbers::sqrt2 / 2;
const double kInvSqrt2Pi = 1.0 / std::sqrt(2.0 * std::numbers::pi);

std::vector<TensorType> infer(const Node& n) {
  n.require(n.in(0) == n.in(1), "x and dy must have one type; got ", n.in(0), " and ", n.in(1));
  return infer_unary(n);
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Value x = n.input(0);
  const Value cdf = 0.5 * (1.0 + b.erf(x * kInvSqrt2));
  const Value pdf = b.exp(x * x * -0.5) * kInvSqrt2Pi;
  return {n.input(1) * (cdf + x * pdf)};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].as<T>();
    const auto dy = in[1].as<T>();
    const auto dx = out[0].as<T>();
    for (size_t i = 0; i < x.size(); ++i) {
      const T cdf = T(0.5) * (T{1} + std::erf(x[i] * T(kInvSqrt2)));
      dx[i] = dy[i] * (cdf + x[i] * std::exp(T(-0.5) * x[i] * x[i]) * T(kInvSqrt2Pi));
    }
  });
}

}  // namespace

constinit const OpDef op_gelu_grad{
    .name = "gelu_grad",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .flops = [](const Node& n) { return 20 * n.out().numel(); },
    .decompose = decompose,
    .reference = reference,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
