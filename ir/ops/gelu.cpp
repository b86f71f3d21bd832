// y = x * 0.5 * (1 + erf(x / sqrt 2)), the exact form (spec 2.6)
#include <cmath>
#include <numbers>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T x) const {
    return x * T(0.5) * (T{1} + std::erf(x * T(std::numbers::sqrt2 / 2)));
  }
};

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.emit(op_gelu_grad, {n.input(0), dy[0]})};
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Value x = n.input(0);
  return {x * 0.5 * (1.0 + b.erf(x * (std::numbers::sqrt2 / 2)))};
}

}  // namespace

constinit const OpDef op_gelu{
    .name = "gelu",
    .infer = infer_unary,
    .flops = [](const Node& n) { return 12 * n.out().numel(); },
    .grad = grad,
    .decompose = decompose,
    .reference = reference_unary<F>,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
