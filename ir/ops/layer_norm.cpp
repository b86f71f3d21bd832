// y = (x - mean) * rstd * weight + bias over the last axis, with the biased variance and
// rstd = 1 / sqrt(var + eps). Results: y, and mean and rstd [...] for the gradient. y has x's type,
// or of f32 the 16-bit one that `result` names.
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const TensorType& x = n.in(0);
  n.require(is_float(x.dtype) && x.shape.rank() >= 1 && x.shape[-1] >= 1,
            "input must be a float tensor with at least one element per row; got ", x);
  const TensorType vector{x.dtype, {x.shape[-1]}};
  n.require(n.in(1) == vector && n.in(2) == vector, "weight and bias must be ", vector, "; got ",
            n.in(1), " and ", n.in(2));
  std::vector<int64_t> rows = x.shape.to_vector();
  rows.pop_back();
  const TensorType statistic{x.dtype, Shape(rows)};
  return {{result_dtype(n, x.dtype), x.shape}, statistic, statistic};
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Value x = n.input(0);
  const Value mean = b.reduce_mean(x, {-1}, true);
  const Value centred = x - mean;
  const Value rstd = b.rsqrt(b.reduce_mean(centred * centred, {-1}, true) + n.real("eps"));
  return {b.cast(centred * rstd * n.input(1) + n.input(2), n.out().dtype),
          b.reshape(mean, n.out(1).shape.to_vector()), b.reshape(rstd, n.out(2).shape.to_vector())};
}

// The statistics are results like any other: d mean / dx = 1 / C and
// d rstd / dx = -rstd^3 (x - mean) / C.
std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const Value x = n.input(0);
  std::vector<Value> result(1);
  if (dy[0])
    result = b.emit_all(op_layer_norm_grad, {dy[0], x, n.input(1), n.result(1), n.result(2)});
  std::vector<int64_t> column = x.shape().to_vector();
  column.back() = 1;
  const auto add = [&](Value dx) { result[0] = result[0] ? result[0] + dx : dx; };
  const double share = 1.0 / static_cast<double>(x.dim(-1));
  if (dy[1]) add(b.broadcast(b.reshape(dy[1] * share, column), x.shape()));
  if (dy[2]) {
    const Value rstd = n.result(2);
    const Value per_row = b.reshape(dy[2] * -share * rstd * rstd * rstd, column);
    add(per_row * (x - b.reshape(n.result(1), column)));
  }
  return result;
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto cols = static_cast<size_t>(n.in(0).shape[-1]);
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].as<T>();
    const auto weight = in[1].as<T>();
    const auto bias = in[2].as<T>();
    const auto y = out[0].as<T>();
    for (size_t row = 0; row * cols < x.size(); ++row) {
      const T* xr = x.data() + row * cols;
      T mean{0};
      T variance{0};
      for (size_t c = 0; c < cols; ++c) mean += xr[c];
      mean /= static_cast<T>(cols);
      for (size_t c = 0; c < cols; ++c) variance += (xr[c] - mean) * (xr[c] - mean);
      const T rstd = T{1} / std::sqrt(variance / static_cast<T>(cols) + T(n.real("eps")));
      for (size_t c = 0; c < cols; ++c)
        y[row * cols + c] = (xr[c] - mean) * rstd * weight[c] + bias[c];
      out[1].as<T>()[row] = mean;
      out[2].as<T>()[row] = rstd;
    }
  });
}

}  // namespace

constinit const OpDef op_layer_norm{
    .name = "layer_norm",
    .min_inputs = 3,
    .max_inputs = 3,
    .attrs = {{{"eps", AttrKind::real}, {"result", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .flops = [](const Node& n) { return 8 * n.out().numel(); },
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
    .row_wise = [](const Node&) { return true; },
};

}  // namespace grimace
