// y = softmax of x over the last axis, shifted by the row's maximum.
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(n.in(0).shape.rank() >= 1, "input needs at least one axis; got ", n.in(0));
  return infer_unary(n);
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.emit(op_softmax_grad, {n.result(), dy[0]})};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto cols = static_cast<size_t>(n.in(0).shape[-1]);
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].as<T>();
    const auto y = out[0].as<T>();
    for (size_t row = 0; row < x.size(); row += cols) {
      T top = x[row];
      for (size_t c = 0; c < cols; ++c) top = std::max(top, x[row + c]);
      T sum{0};
      for (size_t c = 0; c < cols; ++c) sum += y[row + c] = std::exp(x[row + c] - top);
      for (size_t c = 0; c < cols; ++c) y[row + c] /= sum;
    }
  });
}

}  // namespace

constinit const OpDef op_softmax{
    .name = "softmax",
    .infer = infer,
    .flops = [](const Node& n) { return 5 * n.out().numel(); },
    .grad = grad,
    .reference = reference,
    .row_wise = [](const Node&) { return true; },
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
