// y = 1 / sqrt(x)
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T x) const {
    return T{1} / std::sqrt(x);
  }
};

std::vector<Value> grad(Builder&, const Node& n, std::span<const Value> dy) {
  return {dy[0] * -0.5 * n.result() * n.result() * n.result()};
}

}  // namespace

constinit const OpDef op_rsqrt{
    .name = "rsqrt",
    .infer = infer_unary,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference_unary<F>,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
