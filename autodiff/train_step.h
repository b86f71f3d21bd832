// One training step as one graph: loss -> gradients -> accumulation -> norm and clipping -> AdamW.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "ir/builder.h"

namespace grimace {

// How one parameter is trained (spec 6 and 7.4).
struct ParamRule {
  bool decay = true;
  double lr_scale = 1.0;
};

struct TrainStepOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  std::optional<double> clip_grad{};  // largest global gradient norm
  int accumulate = 1;                 // batches per update; the loss is averaged over them
  std::optional<double> ema_decay{};  // keeps an exponential moving average of every parameter
};

// The state that holds a parameter's average.
inline std::string average_of(const std::string& param) {
  return "ema." + param;
}

// Extends a forward graph whose scalar `loss` is given. Trains every param of the graph (`rules`
// has one entry per param name). Adds
//   inputs   "lr", "weight_decay" f32[]; with accumulation also "first_of_update" and
//            "last_of_update" bool[]
//   states   "exp_avg.<param>", "exp_avg_sq.<param>", "accumulated.<param>" (accumulation only),
//            "step" i64[] (updates done); with an average also "ema.<param>", to be set to the
//            parameter before the first step, then decay * ema + (1 - decay) * parameter
//   outputs  "loss", "grad_norm" f32[] (L2 norm over all gradients before clipping), and "applied"
//            bool[]: false when the norm is not finite, and then nothing is updated.
void add_train_step(Builder& b, Value loss, const std::map<std::string, ParamRule>& rules,
                    const TrainStepOptions& options);

}  // namespace grimace
