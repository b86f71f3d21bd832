// What the autoencoder is to predict, and how far off it is (spec 5.1 to 5.3).
#pragma once

#include <optional>

#include "models/layers.h"

namespace grimace {

struct TargetConfig {
  bool normalise = true;   // per cube and channel
  bool frame_diff = true;  // differences to the first frame of each group
  int64_t group = 2;       // frames per group
  // Weight of the difference half of the loss; none: plain MSE.
  std::optional<double> diff_weight = std::nullopt;
};

// Throws Error when the group does not divide the frames, cubes are too small to be normalised, or
// a weight is given without difference targets of group 2.
void validate(const TargetConfig& target, const ModelConfig& model);

// Normalised video [B,3,T,H,W] -> target of every token [B,N,t*P*P*3], in raster order, or of those
// that index [B,K] names; inside a token the order is frame, row, column, channel.
Value reconstruction_target(const LayerContext& c, const TargetConfig& target, Value video,
                            Value index = {});

// Scalar loss of pred against target [B,Nm,t*P*P*3].
Value reconstruction_loss(Builder& b, const TargetConfig& config, Value pred, Value target);

}  // namespace grimace
