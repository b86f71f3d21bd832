// dx = y * (dy - sum over the row of dy * y), from the softmax's result y.
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(n.in(0) == n.in(1), "y and dy must have one type; got ", n.in(0), " and ", n.in(1));
  n.require(n.in(0).shape.rank() >= 1, "y needs at least one axis; got ", n.in(0));
  return infer_unary(n);
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Value y = n.input(0);
  const Value dy = n.input(1);
  return {y * (dy - b.reduce_sum(dy * y, {-1}, true))};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto cols = static_cast<size_t>(n.in(0).shape[-1]);
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto y = in[0].as<T>();
    const auto dy = in[1].as<T>();
    const auto dx = out[0].as<T>();
    for (size_t row = 0; row < y.size(); row += cols) {
      T dot{0};
      for (size_t c = 0; c < cols; ++c) dot += y[row + c] * dy[row + c];
      for (size_t c = 0; c < cols; ++c) dx[row + c] = y[row + c] * (dy[row + c] - dot);
    }
  });
}

}  // namespace

constinit const OpDef op_softmax_grad{
    .name = "softmax_grad",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .flops = [](const Node& n) { return 4 * n.out().numel(); },
    .decompose = decompose,
    .reference = reference,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
