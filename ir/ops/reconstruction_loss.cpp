// mean_squared_error of a prediction [B,K,P] and the reconstruction_target of a video and the index
// of its hidden cubes, with the gradient: one pass from the pixels to both, and no target in
// memory. Inputs pred, video, index; results d loss / d pred, which `result` may round to 16 bits
// on its way to the products that read it, and the loss f32[]. Fused.
#include "ir/ops/cubes.h"
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const TensorType target = target_type(n, 1);
  n.require(n.in(0) == target && target.numel() > 0, "pred must be ", target, ", not empty; got ",
            n.in(0));
  return {{result_dtype(n, target.dtype), target.shape}, {target.dtype, {}}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  Value dpred;
  if (dy[1]) dpred = b.mul(n.result(0), dy[1]);
  if (!dy[0]) return {dpred};
  const Value through_gradient = dy[0] * (2.0 / static_cast<double>(n.in(0).numel()));
  return {dpred ? dpred + through_gradient : through_gradient};
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  std::vector<Value> inputs(n.inputs().begin() + 1, n.inputs().end());
  std::vector<NamedAttr> attrs;
  for (const AttrSpec& spec : op_reconstruction_target.attrs)
    if (!spec.name.empty()) attrs.push_back({spec.name, n.attr(spec.name)});
  const Value pred = n.input(0);
  const Value target = b.emit(op_reconstruction_target, std::move(inputs), std::move(attrs));
  const double share = 2.0 / static_cast<double>(n.in(0).numel());
  return {b.cast((pred - target) * share, n.out().dtype),
          b.emit(op_mean_squared_error, {pred, target})};
}

}  // namespace

constinit const OpDef op_reconstruction_loss{
    .name = "reconstruction_loss",
    .min_inputs = 2,
    .max_inputs = 3,
    .attrs = {{kTubelet, kPatch, kNormalise, kGroup, {"result", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .flops = [](const Node& n) { return 12 * n.in(0).numel(); },
    .grad = grad,
    .decompose = decompose,
};

}  // namespace grimace
