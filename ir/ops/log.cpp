// y = ln x
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T x) const {
    return std::log(x);
  }
};

std::vector<Value> grad(Builder&, const Node& n, std::span<const Value> dy) {
  return {dy[0] / n.input(0)};
}

}  // namespace

constinit const OpDef op_log{
    .name = "log",
    .infer = infer_unary,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference_unary<F>,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
