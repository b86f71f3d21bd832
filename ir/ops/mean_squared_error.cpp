// y = the mean of (pred - target)^2 over everything (spec 5.3). The mean of each last-axis row is
// taken first: the sum stays accurate in f32. Fused.
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(is_float(n.in(0).dtype) && n.in(0) == n.in(1),
            "pred and target must be float tensors of one type; got ", n.in(0), " and ", n.in(1));
  n.require(n.in(0).shape.rank() >= 1 && n.in(0).numel() > 0, "there is no mean of nothing; got ",
            n.in(0));
  return {{n.in(0).dtype, {}}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const double share = 2.0 / static_cast<double>(n.in(0).numel());
  const Value dpred =
      b.sub(n.input(0), n.input(1)) * b.mul(dy[0], b.full(share, {}, dy[0].dtype()));
  return {dpred, b.neg(dpred)};
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Value difference = n.input(0) - n.input(1);
  const Value rows = b.reduce_mean(difference * difference, {-1});
  std::vector<int64_t> axes;
  for (int axis = 0; axis < rows.shape().rank(); ++axis) axes.push_back(axis);
  return {b.cast(axes.empty() ? rows : b.reduce_mean(rows, axes), n.out().dtype)};
}

}  // namespace

constinit const OpDef op_mean_squared_error{
    .name = "mean_squared_error",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .flops = [](const Node& n) { return 3 * n.in(0).numel(); },
    .grad = grad,
    .decompose = decompose,
};

}  // namespace grimace
