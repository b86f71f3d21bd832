// The published schedules of learning rate and weight decay over optimizer steps (spec section 6).
#pragma once

#include <cstdint>

namespace grimace {

// Recipes give learning rates per 256 samples; this is the rate for `total_batch` samples a step.
inline double scaled_lr(double lr, int64_t total_batch) {
  return lr * static_cast<double>(total_batch) / 256.0;
}

struct Schedule {
  double lr = 0.0;  // already scaled by the batch, as is min_lr
  double min_lr = 0.0;
  double weight_decay = 0.05;
  double weight_decay_end = 0.05;
  int64_t total_steps = 0;  // steps per epoch times the epochs of the whole schedule
  int64_t warmup_steps = 0;

  // Error when the numbers make no schedule: no steps, a warm-up longer than the run, or a
  // negative or non-finite rate.
  void validate() const;

  // Linear warm-up whose first step is exactly 0 and whose last is exactly lr, then a cosine that
  // starts at lr again and ends just above min_lr. A warm-up of one step is that first step: 0.
  // Steps past the end stay at min_lr.
  double learning_rate(int64_t step) const;
  // A cosine from weight_decay to weight_decay_end over all steps, without warm-up.
  double weight_decay_at(int64_t step) const;
};

}  // namespace grimace
