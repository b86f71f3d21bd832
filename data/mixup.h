// Mixup and CutMix in batch mode: every clip is mixed with its partner in the reversed batch, all
// in the same way, and so are their labels. Source: spec 7.5, 7.6.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "data/resize.h"
#include "ir/philox.h"
#include "runtime/tensor.h"

namespace grimace {

// The reference's names.
struct MixupConfig {
  double mixup = 0.8;              // mixup draws lam from Beta(mixup, mixup); 0 = no mixup
  double cutmix = 1.0;             // CutMix likewise
  double mixup_prob = 1.0;         // of mixing a batch at all
  double mixup_switch_prob = 0.5;  // of CutMix where both are on
  double smoothing = 0.1;          // label smoothing of the soft targets

  bool active() const { return mixup > 0 || cutmix > 0; }
};
// Error naming the value out of range, or an odd batch where mixing is on.
void validate(const MixupConfig& config, int64_t batch);

struct Mix {
  double lam = 1;                         // share of a clip's own label
  std::optional<Box> box = std::nullopt;  // CutMix: what comes from the partner
};

// CutMix corrects lam to the share that the box, cut off at the border, leaves.
Mix draw_mix(const MixupConfig& config, int width, int height, PhiloxStream& random);

// Beta(alpha, alpha).
double draw_beta(double alpha, PhiloxStream& random);

// Mixes `video` f32 [B,3,T,H,W] in place: lam x + (1 - lam) x_reversed, or the box in all frames
// and colours.
void mix_video(Tensor& video, const Mix& mix);

// f32 [B,classes]: lam y + (1 - lam) y_reversed, with y = smoothing / classes everywhere and
// 1 - smoothing more at the label.
Tensor soft_targets(std::span<const int32_t> labels, int64_t classes, double lam, double smoothing);

}  // namespace grimace
