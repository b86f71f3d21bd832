// Gradients of layer_norm. Inputs dy, x, weight, mean, rstd and, if x is also carried around the
// block, what comes back on that way, which is added; results dx, dweight, dbias. With
// xhat = (x - mean) rstd and g = dy weight:
//   dx = rstd (g - mean_c(g) - xhat mean_c(g xhat)) + residual
//   dweight = sum dy xhat, dbias = sum dy
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const TensorType& x = n.in(1);
  n.require(n.in(0).shape == x.shape && sum_dtype(n.in(0).dtype) == sum_dtype(x.dtype),
            "dy and x must have one shape, and one type or a 16-bit dy; got ", n.in(0), " and ", x);
  n.require(is_float(x.dtype) && x.shape.rank() >= 1 && x.shape[-1] >= 1,
            "x must be a float tensor with at least one element per row; got ", x);
  const TensorType vector{x.dtype, {x.shape[-1]}};
  n.require(n.in(2) == vector, "weight must be ", vector, "; got ", n.in(2));
  std::vector<int64_t> rows = x.shape.to_vector();
  rows.pop_back();
  const TensorType statistic{x.dtype, Shape(rows)};
  n.require(n.in(3) == statistic && n.in(4) == statistic, "mean and rstd must be ", statistic,
            "; got ", n.in(3), " and ", n.in(4));
  n.require(n.num_inputs() == 5 || n.in(5) == x, "residual must be ", x, "; got ",
            n.in(n.num_inputs() - 1));
  return {x, vector, vector};
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Value x = n.input(1);
  const Value dy = b.cast(n.input(0), x.dtype());
  std::vector<int64_t> column = x.shape().to_vector();
  column.back() = 1;
  const Value rstd = b.reshape(n.input(4), column);
  const Value xhat = (x - b.reshape(n.input(3), column)) * rstd;
  const Value g = dy * n.input(2);
  Value dx = rstd * (g - b.reduce_mean(g, {-1}, true) - xhat * b.reduce_mean(g * xhat, {-1}, true));
  if (n.num_inputs() == 6) dx = dx + n.input(5);
  return {dx, b.sum_to(dy * xhat, n.in(2).shape), b.sum_to(dy, n.in(2).shape)};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto cols = static_cast<size_t>(n.in(1).shape[-1]);
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto weight = in[2].as<T>();
    const auto dweight = out[1].as<T>();
    const auto dbias = out[2].as<T>();
    std::fill(dweight.begin(), dweight.end(), T{0});
    std::fill(dbias.begin(), dbias.end(), T{0});
    for (size_t row = 0; row * cols < in[0].as<T>().size(); ++row) {
      const T* dy = in[0].as<T>().data() + row * cols;
      const T* x = in[1].as<T>().data() + row * cols;
      T* dx = out[0].as<T>().data() + row * cols;
      const T mean = in[3].as<T>()[row];
      const T rstd = in[4].as<T>()[row];
      T sum_g{0};
      T sum_gx{0};
      for (size_t c = 0; c < cols; ++c) {
        const T xhat = (x[c] - mean) * rstd;
        sum_g += dy[c] * weight[c];
        sum_gx += dy[c] * weight[c] * xhat;
        dweight[c] += dy[c] * xhat;
        dbias[c] += dy[c];
      }
      sum_g /= static_cast<T>(cols);
      sum_gx /= static_cast<T>(cols);
      for (size_t c = 0; c < cols; ++c) {
        dx[c] = rstd * (dy[c] * weight[c] - sum_g - (x[c] - mean) * rstd * sum_gx);
        if (in.size() == 6) dx[c] += in[5].as<T>()[row * cols + c];
      }
    }
  });
}

}  // namespace

constinit const OpDef op_layer_norm_grad{
    .name = "layer_norm_grad",
    .min_inputs = 5,
    .max_inputs = 6,
    .infer = infer,
    .flops = [](const Node& n) { return 14 * n.in(0).numel(); },
    .decompose = decompose,
    .reference = reference,
};

}  // namespace grimace
