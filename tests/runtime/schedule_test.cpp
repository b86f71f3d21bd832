// Learning rate and weight decay against the published numbers and the stored optimizer run.
#include "runtime/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/safetensors.h"
#include "tests/testing.h"

namespace grimace {
namespace {

constexpr int64_t kStepsPerEpoch = 6823;

Schedule published() {
  return {.lr = scaled_lr(3e-4, 160),
          .min_lr = scaled_lr(1e-5, 160),
          .total_steps = 100 * kStepsPerEpoch,
          .warmup_steps = 5 * kStepsPerEpoch};
}

double epoch_mean(const Schedule& schedule, int64_t epoch) {
  double sum = 0.0;
  for (int64_t i = 0; i < kStepsPerEpoch; ++i)
    sum += schedule.learning_rate(epoch * kStepsPerEpoch + i);
  return sum / kStepsPerEpoch;
}

TEST(Schedule, gives_the_published_learning_rates) {
  const Schedule schedule = published();
  schedule.validate();
  EXPECT_DOUBLE_EQ(schedule.lr, 1.875e-4);
  EXPECT_EQ(schedule.learning_rate(0), 0.0);
  EXPECT_EQ(schedule.learning_rate(34114), schedule.lr);
  EXPECT_EQ(schedule.learning_rate(34115), schedule.lr);
  EXPECT_LT(schedule.learning_rate(34116), schedule.lr);
  EXPECT_NEAR(epoch_mean(schedule, 0), 1.874780e-5, 5e-12);
  EXPECT_NEAR(epoch_mean(schedule, 49), 1.058508e-4, 5e-11);
  EXPECT_GT(schedule.learning_rate(schedule.total_steps - 1), schedule.min_lr);
  EXPECT_NEAR(schedule.learning_rate(schedule.total_steps - 1), schedule.min_lr, 1e-12);
  EXPECT_EQ(schedule.learning_rate(schedule.total_steps + 5), schedule.min_lr);
}

TEST(Schedule, constant_weight_decay_is_constant) {
  const Schedule schedule = published();
  for (const int64_t step : {0, 1, 34115, 500000, 682299, 700000})
    EXPECT_EQ(schedule.weight_decay_at(step), 0.05);
}

TEST(Schedule, reproduces_the_stored_optimizer_run) {
  const SafetensorsFile file(testing::repository_dir() / "tests/golden/optim_tiny.safetensors");
  const auto optimizer = nlohmann::json::parse(file.metadata("optimizer"));
  const int64_t steps_per_epoch = optimizer["steps_per_epoch"];
  const Schedule schedule{
      .lr = optimizer["lr"],
      .min_lr = optimizer["min_lr"],
      .weight_decay = optimizer["weight_decay"],
      .weight_decay_end = optimizer["weight_decay_end"],
      .total_steps = optimizer["epochs"].get<int64_t>() * steps_per_epoch,
      .warmup_steps = optimizer["warmup_epochs"].get<int64_t>() * steps_per_epoch};
  schedule.validate();
  const Tensor rates = file.tensor("optim.learning_rates");
  const Tensor decays = file.tensor("optim.weight_decays");
  ASSERT_EQ(rates.numel(), schedule.total_steps);
  for (int64_t step = 0; step < schedule.total_steps; ++step) {
    const auto i = static_cast<size_t>(step);
    EXPECT_FLOAT_EQ(static_cast<float>(schedule.learning_rate(step)), rates.as<float>()[i]);
    EXPECT_FLOAT_EQ(static_cast<float>(schedule.weight_decay_at(step)), decays.as<float>()[i]);
  }
}

TEST(Schedule, short_warm_ups_do_not_divide_by_zero) {
  Schedule schedule{.lr = 1.0, .min_lr = 0.0, .total_steps = 4, .warmup_steps = 0};
  schedule.validate();
  EXPECT_EQ(schedule.learning_rate(0), 1.0);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(2), 0.5);

  schedule.warmup_steps = 1;
  EXPECT_EQ(schedule.learning_rate(0), 0.0);
  EXPECT_EQ(schedule.learning_rate(1), 1.0);

  schedule.warmup_steps = 4;  // all of the run
  schedule.validate();
  EXPECT_EQ(schedule.learning_rate(3), 1.0);
  EXPECT_EQ(schedule.learning_rate(4), 0.0);

  schedule.total_steps = schedule.warmup_steps = 1;
  EXPECT_EQ(schedule.learning_rate(0), 0.0);
}

TEST(Schedule, the_last_warm_up_step_is_exactly_the_base_rate) {
  for (const int64_t warmup : {2, 3, 7, 10, 49, 34115}) {
    const Schedule schedule{.lr = 0.1, .total_steps = 100000, .warmup_steps = warmup};
    EXPECT_EQ(schedule.learning_rate(0), 0.0);
    EXPECT_EQ(schedule.learning_rate(warmup - 1), 0.1) << warmup;
    EXPECT_EQ(schedule.learning_rate(warmup), 0.1) << warmup;
  }
}

TEST(Schedule, impossible_numbers_are_refused) {
  EXPECT_THROW((Schedule{.lr = 1.0, .total_steps = 0}.validate()), Error);
  EXPECT_THROW((Schedule{.lr = 1.0, .total_steps = 3, .warmup_steps = 4}.validate()), Error);
  EXPECT_THROW((Schedule{.lr = 1.0, .total_steps = 3, .warmup_steps = -1}.validate()), Error);
  EXPECT_THROW((Schedule{.lr = -1.0, .total_steps = 3}.validate()), Error);
  EXPECT_THROW((Schedule{.lr = 0.0 / 0.0, .total_steps = 3}.validate()), Error);
  EXPECT_THROW((Schedule{.lr = 1.0, .weight_decay = -0.1, .total_steps = 3}.validate()), Error);
}

}  // namespace
}  // namespace grimace
