#include "models/target.h"

#include "ir/op_def.h"

namespace grimace {
namespace {

Value mean_squared_error(Builder& b, Value pred, Value target) {
  return b.emit(op_mean_squared_error, {pred, target});
}

}  // namespace

void validate(const TargetConfig& target, const ModelConfig& model) {
  check(!target.frame_diff || (target.group > 0 && model.frames % target.group == 0),
        "target: groups of ", target.group, " frames do not divide a clip of ", model.frames,
        " frames");
  check(!target.normalise || model.pixels_per_cube() > 3,
        "target: a cube of one pixel cannot be normalised");
  if (!target.diff_weight) return;
  check(*target.diff_weight >= 0.0 && *target.diff_weight <= 1.0,
        "target: the difference weight must lie in [0,1]; got ", *target.diff_weight);
  check(target.frame_diff && target.group == 2 && model.tubelet == 2,
        "target: a difference weight needs frame differences in groups of 2 frames");
}

Value reconstruction_target(const LayerContext& c, const TargetConfig& target, Value video,
                            Value index) {
  const Scope scope(c.b, "target");
  std::vector<Value> inputs{video};
  if (index) inputs.push_back(index);
  return c.b.emit(op_reconstruction_target, std::move(inputs),
                  {{"tubelet", c.config.tubelet},
                   {"patch", c.config.patch},
                   {"normalise", target.normalise},
                   {"group", target.frame_diff ? target.group : 0}});
}

Value reconstruction_loss(Builder& b, const TargetConfig& config, Value pred, Value target) {
  const Scope scope(b, "loss");
  if (!config.diff_weight) return mean_squared_error(b, pred, target);
  const int64_t half = pred.dim(2) / 2;
  const auto part = [&](int64_t begin) {
    return mean_squared_error(b, b.slice(pred, 2, begin, begin + half),
                              b.slice(target, 2, begin, begin + half));
  };
  return part(0) * (1.0 - *config.diff_weight) + part(half) * *config.diff_weight;
}

}  // namespace grimace
