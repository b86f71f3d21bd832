// The classifier (spec 2.9): encoder on all tokens, pooling, norm, linear head, cross-entropy.
#pragma once

#include "models/layers.h"

namespace grimace {

struct ClassifierOptions {
  int64_t batch = 1;
  bool training = false;  // drop path
  bool with_loss = false;
  bool soft_targets = false;  // targets are distributions over the classes, smoothed already
  double label_smoothing = 0.0;
  bool with_taps = false;
};

struct ClassifierModel {
  Value feature;  // [B,C]: what goes into the head
  Value logits;   // [B,classes]
  Value loss;     // scalar mean over the batch; null without loss
  Taps taps;
};

// Adds inputs "video" f32 [B,3,T,H,W] and, with loss, "labels" i32 [B] or, soft, "targets" f32
// [B,classes]; every parameter; and the model. Pooling by region or all tokens needs the
// local_global encoder.
ClassifierModel build_classifier(Builder& b, const ModelConfig& config,
                                 const ClassifierOptions& options);

}  // namespace grimace
