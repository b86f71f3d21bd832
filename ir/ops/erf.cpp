// y = erf(x), with derivative 2/sqrt(pi) e^(-x^2)
#include <cmath>
#include <numbers>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T x) const {
    return std::erf(x);
  }
};

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {dy[0] * b.exp(b.neg(n.input(0) * n.input(0))) * (2.0 / std::sqrt(std::numbers::pi))};
}

}  // namespace

constinit const OpDef op_erf{
    .name = "erf",
    .infer = infer_unary,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference_unary<F>,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
