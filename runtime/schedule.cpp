// The formulas of the schedules; steps count from 0.
#include "runtime/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ir/error.h"

namespace grimace {
namespace {

// From `start` at step 0 towards `end`, reached at step `steps` and kept from there.
double cosine(double start, double end, int64_t step, int64_t steps) {
  if (step >= steps) return end;
  const double progress = static_cast<double>(step) / static_cast<double>(steps);
  return end + 0.5 * (start - end) * (1.0 + std::cos(std::numbers::pi * progress));
}

void check_rate(const char* name, double value) {
  check(std::isfinite(value) && value >= 0.0, name, " must be a finite number >= 0; got ", value);
}

}  // namespace

void Schedule::validate() const {
  check_rate("lr", lr);
  check_rate("min_lr", min_lr);
  check_rate("weight_decay", weight_decay);
  check_rate("weight_decay_end", weight_decay_end);
  check(total_steps > 0, "the schedule needs at least 1 step; got ", total_steps,
        " (epochs times batches per epoch)");
  check(warmup_steps >= 0 && warmup_steps <= total_steps, "the warm-up of ", warmup_steps,
        " steps must be within the ", total_steps,
        " steps of the schedule; lower warmup_epochs or warmup_steps, or raise epochs");
}

double Schedule::learning_rate(int64_t step) const {
  if (step >= warmup_steps)
    return cosine(lr, min_lr, step - warmup_steps, total_steps - warmup_steps);
  const int64_t last = std::max<int64_t>(warmup_steps - 1, 1);
  return lr * (static_cast<double>(step) / static_cast<double>(last));
}

double Schedule::weight_decay_at(int64_t step) const {
  return cosine(weight_decay, weight_decay_end, step, total_steps);
}

}  // namespace grimace
