// y = -x
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T x) const {
    return -x;
  }
};

std::vector<Value> grad(Builder& b, const Node&, std::span<const Value> dy) {
  return {b.neg(dy[0])};
}

}  // namespace

constinit const OpDef op_neg{
    .name = "neg",
    .infer = infer_unary,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference_unary<F>,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
