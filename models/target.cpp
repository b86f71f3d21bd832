#include "models/target.h"

#include <array>

namespace grimace {
namespace {

constexpr std::array<float, 3> kMean{0.485f, 0.456f, 0.406f};
constexpr std::array<float, 3> kStd{0.229f, 0.224f, 0.225f};
constexpr double kSigmaEps = 1e-6;

// z = (v - mean) / (sqrt(unbiased var) + 1e-6) per cube and channel: x [B,N,pixels,3]. Values are
// first shifted by the cube's first pixel, which changes nothing but the rounding: a cube without
// contrast gives exact zeros instead of noise divided by 1e-6.
Value normalise(Builder& b, Value x) {
  const Value shifted = x - b.slice(x, 2, 0, 1);
  const Value centred = shifted - b.reduce_mean(shifted, {2}, true);
  const Value variance =
      b.reduce_sum(centred * centred, {2}, true) / static_cast<double>(x.dim(2) - 1);
  return centred / (b.sqrt(variance) + kSigmaEps);
}

// Frames [B,G,g,rest]: the first of each group stays, the others become differences to it.
Value differences(Builder& b, Value frames) {
  const int64_t group = frames.dim(2);
  if (group == 1) return frames;
  const Value first = b.slice(frames, 2, 0, 1);
  return b.concat({first, b.slice(frames, 2, 1, group) - first}, 2);
}

Value frame_differences(const Context& c, const TargetConfig& target, Value cubes) {
  Builder& b = c.b;
  const int64_t batch = cubes.dim(0);
  const int64_t tubelet = c.config.tubelet;
  const int64_t frame_values = c.config.pixels_per_cube() / tubelet;
  if (target.group == tubelet) {
    // A group is one cube's own frames.
    const Value frames = b.reshape(cubes, {batch, cubes.dim(1), tubelet, frame_values});
    return b.reshape(differences(b, frames), cubes.shape().to_vector());
  }
  const auto [t, h, w] = c.config.grid();
  const Value by_token = b.reshape(cubes, {batch, t, h * w, tubelet, frame_values});
  const Value by_frame =
      b.reshape(b.transpose(by_token, {0, 1, 3, 2, 4}),
                {batch, c.config.frames / target.group, target.group, h * w * frame_values});
  const Value changed =
      b.reshape(differences(b, by_frame), {batch, t, tubelet, h * w, frame_values});
  return b.reshape(b.transpose(changed, {0, 1, 3, 2, 4}), cubes.shape().to_vector());
}

// Mean of the squared differences over everything, rows first: the sum stays accurate in f32.
Value mean_squared_error(Builder& b, Value a, Value y) {
  const Value difference = a - y;
  return b.reduce_mean(b.reduce_mean(difference * difference, {2}), {0, 1});
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

Value reconstruction_target(const Context& c, const TargetConfig& target, Value video) {
  Builder& b = c.b;
  const Scope scope(b, "target");
  const Value mean = b.constant("pixel_mean", {3, 1, 1, 1}, kMean);
  const Value std = b.constant("pixel_std", {3, 1, 1, 1}, kStd);
  Value cubes = target_cubes(c, video * std + mean);
  const std::vector<int64_t> flat = cubes.shape().to_vector();
  if (target.normalise)
    cubes = b.reshape(normalise(b, b.reshape(cubes, {flat[0], flat[1], flat[2] / 3, 3})), flat);
  return target.frame_diff ? frame_differences(c, target, cubes) : cubes;
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
