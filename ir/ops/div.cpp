// y = a / b on floats, with NumPy broadcasting
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a / b);
  }
};

std::vector<TensorType> infer(const Node& n) {
  n.require(is_float(n.in(0).dtype), "inputs must be float tensors; got ", n.in(0), " and ",
            n.in(1));
  return infer_binary(n);
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const Value da = dy[0] / n.input(1);
  return {b.sum_to(da, n.in(0).shape), b.sum_to(b.neg(da * n.result()), n.in(1).shape)};
}

}  // namespace

constinit const OpDef op_div{
    .name = "div",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference_binary<F>,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
