// y = the square root of the sum of the squares of all elements of all inputs (spec 6: what
// clipping compares with its limit). f32 sums of many parts are added in f64.
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const DType dtype = n.in(0).dtype;
  for (int i = 0; i < n.num_inputs(); ++i)
    n.require(is_float(dtype) && n.in(i).dtype == dtype,
              "all inputs must be of one float type; input ", i, " is ", n.in(i), ", input 0 ",
              n.in(0));
  return {{dtype, {}}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const Value scale = dy[0] / n.result();
  std::vector<Value> result;
  for (const Value& x : n.inputs()) result.push_back(b.mul(x, scale));
  return result;
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  std::vector<Value> squares;
  for (const Value& x : n.inputs()) {
    std::vector<int64_t> axes;
    for (int axis = 0; axis < x.shape().rank(); ++axis) axes.push_back(axis);
    squares.push_back(b.reshape(b.reduce_sum(x * x, axes), {1}));
  }
  return {b.reshape(b.sqrt(b.reduce_sum(b.concat(squares, 0), {0})), {})};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    double sum = 0.0;
    for (const ConstView& x : in)
      for (const T value : x.as<T>())
        sum += static_cast<double>(value) * static_cast<double>(value);
    out[0].as<T>()[0] = static_cast<T>(std::sqrt(sum));
  });
}

int64_t flops(const Node& n) {
  int64_t count = 0;
  for (int i = 0; i < n.num_inputs(); ++i) count += 2 * n.in(i).numel();
  return count;
}

}  // namespace

constinit const OpDef op_global_norm{
    .name = "global_norm",
    .max_inputs = -1,
    .infer = infer,
    .flops = flops,
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
};

}  // namespace grimace
