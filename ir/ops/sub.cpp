// y = a - b, with NumPy broadcasting
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a - b);
  }
};

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.sum_to(dy[0], n.in(0).shape), b.sum_to(b.neg(dy[0]), n.in(1).shape)};
}

}  // namespace

constinit const OpDef op_sub{
    .name = "sub",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_binary,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference_binary<F>,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
