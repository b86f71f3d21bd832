// y = max(a, b), with NumPy broadcasting
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a < b ? b : a);
  }
};

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  // Where a and b are equal the gradient goes to a.
  const Value zero = b.full(0.0, {}, dy[0].dtype());
  const Value take_b = b.less(n.input(0), n.input(1));
  return {b.sum_to(b.select(take_b, zero, dy[0]), n.in(0).shape),
          b.sum_to(b.select(take_b, dy[0], zero), n.in(1).shape)};
}

}  // namespace

constinit const OpDef op_maximum{
    .name = "maximum",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_binary,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference_binary<F>,
    .elementwise = true,
    .commutative = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
