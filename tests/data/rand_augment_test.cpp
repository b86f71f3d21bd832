#include "data/rand_augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ir/error.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;

TEST(RandAugment, the_published_policy_is_the_default) {
  EXPECT_EQ(parse_rand_augment("rand-m7-n4-mstd0.5-inc1"), RandAugmentConfig{});
  EXPECT_EQ(parse_rand_augment("rand-inc0-m3"),
            (RandAugmentConfig{.layers = 2, .magnitude = 3, .magnitude_std = 0}))
      << "inc counts as on whenever it is there; n and mstd have the reference's defaults";
}

TEST(RandAugment, a_policy_that_means_something_else_is_refused) {
  for (const auto& [policy, message] :
       std::map<std::string, std::string>{{"", "expected a policy like"},
                                          {"augmix-m3", "expected a policy like"},
                                          {"rand-m7-n4", "only the increasing operations"},
                                          {"rand-m11-inc1", "'m11' needs a number from 0 to 10"},
                                          {"rand-m-inc1", "'m' needs a number"},
                                          {"rand-mnan-inc1", "'mnan' needs a number"},
                                          {"rand-n0-inc1", "'n0' needs a number from 1 to 100"},
                                          {"rand-n1e9-inc1", "'n1e9' needs a number"},
                                          {"rand-m7--inc1", "unknown field ''"},
                                          {"rand-w0-inc1", "unknown field 'w0'"},
                                          {std::string(1000, 'x'), "more than 100 characters"}}) {
    try {
      parse_rand_augment(policy);
      ADD_FAILURE() << policy;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(message)) << policy;
    }
  }
}

TEST(RandAugment, magnitude_seven_gives_the_arguments_of_the_table) {
  const std::map<RandOp, std::pair<double, double>> expected{
      {RandOp::auto_contrast, {0, 0}},
      {RandOp::equalize, {0, 0}},
      {RandOp::invert, {0, 0}},
      {RandOp::rotate, {21, -21}},
      {RandOp::posterize, {2, 2}},
      {RandOp::solarize, {77, 77}},
      {RandOp::solarize_add, {77, 77}},
      {RandOp::color, {1.63, 0.37}},
      {RandOp::contrast, {1.63, 0.37}},
      {RandOp::brightness, {1.63, 0.37}},
      {RandOp::sharpness, {1.63, 0.37}},
      {RandOp::shear_x, {0.21, -0.21}},
      {RandOp::shear_y, {0.21, -0.21}},
      {RandOp::translate_x, {0.315, -0.315}},
      {RandOp::translate_y, {0.315, -0.315}}};
  ASSERT_EQ(expected.size(), static_cast<size_t>(kRandOps));
  for (const auto& [op, arguments] : expected) {
    EXPECT_NEAR(augment_step(op, 7, false).argument, arguments.first, 1e-12);
    EXPECT_NEAR(augment_step(op, 7, true).argument, arguments.second, 1e-12);
  }
  EXPECT_EQ(augment_step(RandOp::posterize, 10, false).argument, 0);
  EXPECT_EQ(augment_step(RandOp::solarize, 10, false).argument, 0);
  EXPECT_EQ(augment_step(RandOp::solarize, 0, false).argument, 256);
}

TEST(RandAugment, four_operations_are_drawn_evenly_and_half_of_them_applied) {
  PhiloxStream random(3, 4);
  constexpr int kClips = 15000;
  std::map<RandOp, int> counts;
  std::map<size_t, int> lengths;
  double sum = 0, squares = 0;
  int signed_ops = 0, negative = 0;
  for (int clip = 0; clip < kClips; ++clip) {
    const auto steps = draw_rand_augment({}, random);
    ++lengths[steps.size()];
    for (const AugmentStep& step : steps) {
      ++counts[step.op];
      if (step.op != RandOp::rotate) continue;
      const double magnitude = std::abs(step.argument) / 3;
      sum += magnitude;
      squares += magnitude * magnitude;
      ++signed_ops;
      negative += step.argument < 0;
    }
  }
  ASSERT_EQ(counts.size(), static_cast<size_t>(kRandOps));
  for (const auto& [op, count] : counts) EXPECT_NEAR(count, 2000, 220);  // 5 sigma
  const double binomial[] = {1, 4, 6, 4, 1};
  for (size_t n = 0; n <= 4; ++n)
    EXPECT_NEAR(lengths[n], kClips * binomial[n] / 16, 320) << n << " of 4 applied";
  const double mean = sum / signed_ops;
  EXPECT_NEAR(mean, 7, 0.06);
  EXPECT_NEAR(std::sqrt(squares / signed_ops - mean * mean), 0.5, 0.05);
  EXPECT_NEAR(negative, signed_ops / 2.0, 120);
}

TEST(RandAugment, magnitudes_stay_within_their_scale) {
  PhiloxStream random(3, 5);
  for (int clip = 0; clip < 3000; ++clip)
    for (const AugmentStep& step :
         draw_rand_augment({.layers = 8, .magnitude = 9, .magnitude_std = 10}, random))
      EXPECT_TRUE(step.op != RandOp::translate_x || std::abs(step.argument) <= 0.45);
}

}  // namespace
}  // namespace grimace
