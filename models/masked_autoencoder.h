// The pre-training model (spec 4): encoder on visible tokens, decoder on all, prediction of the
// masked ones.
#pragma once

#include "models/layers.h"
#include "models/target.h"

namespace grimace {

struct PretrainOptions {
  int64_t batch = 1;
  int64_t visible = 0;    // visible tokens per clip
  bool training = false;  // drop path
  bool bytes = false;     // "video" is u8, as decoded, and normalised in the graph
  bool with_loss = true;
  bool with_taps = false;
};

struct PretrainModel {
  Value pred;    // [B,Nm,t*P*P*3], masked tokens in raster order
  Value target;  // the same shape; null without loss
  Value loss;    // scalar; null without loss
  Taps taps;     // "patch_embed", "encoder.blocks.i", "encoder.norm", "encoder_to_decoder", ...
};

// Adds inputs "video" [B,3,T,H,W], f32 (ImageNet-normalised) or u8, "mask" u8 [B,N] (1 = masked), every
// parameter, and the model. Error when the visible tokens cannot be grouped into regions.
PretrainModel build_pretrain(Builder& b, const ModelConfig& config, const TargetConfig& target,
                             const PretrainOptions& options);

}  // namespace grimace
