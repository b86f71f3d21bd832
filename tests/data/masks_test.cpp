#include "data/masks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

constexpr std::array<int, 3> kRegion{2, 5, 10};

std::string message(const MaskConfig& config) {
  return testing::error_of([&] { MaskGenerator generator(config); });
}

// Masked tokens in columns first..last-1 of the rows of a window, in the first time step.
int masked_in(const std::vector<uint8_t>& mask, int window, int first, int last) {
  int count = 0;
  for (int row = window * 5; row < window * 5 + 5; ++row)
    for (int column = first; column < last; ++column) count += mask[row * 10 + column];
  return count;
}

TEST(Masks, part_window_counts_truncate_in_double) {
  const std::pair<double, int> table[] = {{0.5, 25}, {0.58, 28}, {0.6, 30}, {0.7, 35}, {0.75, 37},
                                          {0.8, 40}, {0.85, 42}, {0.9, 45}, {0.95, 47}};
  for (const auto& [ratio, masked] : table) {
    const MaskGenerator generator({.ratio = ratio, .region = kRegion});
    PhiloxStream random(1, 2);
    const auto mask = generator.draw(random);
    EXPECT_EQ(masked_in(mask, 0, 0, 10), masked) << ratio;
    EXPECT_EQ(masked_in(mask, 1, 0, 10), masked) << ratio;
    EXPECT_EQ(generator.visible_count(), 800 - 16 * masked);
    EXPECT_EQ(generator.visible_per_region(), 2 * (50 - masked));
    EXPECT_EQ(std::count(mask.begin(), mask.end(), 1), 16 * masked);
  }
}

TEST(Masks, tube_counts_truncate_in_double) {
  for (const auto& [ratio, masked] :
       {std::pair{0.29, 28}, {0.57, 56}, {0.58, 57}, {0.75, 75}, {0.9, 90}}) {
    const MaskGenerator generator({.type = MaskType::tube, .ratio = ratio});
    PhiloxStream random(1, 2);
    const auto mask = generator.draw(random);
    EXPECT_EQ(std::count(mask.begin(), mask.begin() + 100, 1), masked) << ratio;
    EXPECT_EQ(generator.visible_count(), 800 - 8 * masked);
  }
}

TEST(Masks, all_time_steps_are_equal_and_draws_differ) {
  for (const MaskType type : {MaskType::tube, MaskType::part_window}) {
    const MaskGenerator generator({.type = type});
    PhiloxStream random(3, 4);
    const auto mask = generator.draw(random);
    ASSERT_EQ(mask.size(), 800u);
    for (int time = 1; time < 8; ++time)
      EXPECT_TRUE(std::equal(mask.begin(), mask.begin() + 100, mask.begin() + time * 100));
    EXPECT_NE(generator.draw(random), mask);
    PhiloxStream again(3, 4);
    EXPECT_EQ(generator.draw(again), mask);
  }
}

TEST(Masks, every_position_is_equally_likely_to_be_visible) {
  const MaskGenerator generator({.ratio = 0.9});
  PhiloxStream random(5, 6);
  std::vector<int> visible(100);
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    const auto mask = generator.draw(random);
    for (int n = 0; n < 100; ++n) visible[n] += mask[n] == 0;
  }
  // Expected 400 with standard deviation 19.
  EXPECT_GT(*std::min_element(visible.begin(), visible.end()), 400 - 5 * 19);
  EXPECT_LT(*std::max_element(visible.begin(), visible.end()), 400 + 5 * 19);
}

TEST(Masks, windows_are_shuffled_independently) {
  const MaskGenerator generator({.ratio = 0.9});
  PhiloxStream random(5, 6);
  const auto mask = generator.draw(random);
  EXPECT_FALSE(std::equal(mask.begin(), mask.begin() + 50, mask.begin() + 50));
}

TEST(Masks, global_symmetry_puts_all_windows_on_one_side) {
  const MaskGenerator generator({.ratio = 0.9, .symmetry = MaskSymmetry::global});
  PhiloxStream random(7, 8);
  std::set<bool> sides;
  for (int i = 0; i < 50; ++i) {
    const auto mask = generator.draw(random);
    const bool left = masked_in(mask, 0, 0, 5) == 20;
    sides.insert(left);
    for (int window = 0; window < 2; ++window) {
      EXPECT_EQ(masked_in(mask, window, 0, 5), left ? 20 : 25);
      EXPECT_EQ(masked_in(mask, window, 5, 10), left ? 25 : 20);
    }
  }
  EXPECT_EQ(sides.size(), 2u);
}

TEST(Masks, local_symmetry_chooses_a_side_for_each_window) {
  const MaskGenerator generator({.ratio = 0.9, .symmetry = MaskSymmetry::local});
  PhiloxStream random(7, 8);
  std::set<std::pair<bool, bool>> sides;
  for (int i = 0; i < 100; ++i) {
    const auto mask = generator.draw(random);
    for (int window = 0; window < 2; ++window) EXPECT_EQ(masked_in(mask, window, 0, 10), 45);
    sides.emplace(masked_in(mask, 0, 0, 5) == 20, masked_in(mask, 1, 0, 5) == 20);
  }
  EXPECT_EQ(sides.size(), 4u);
  EXPECT_EQ(generator.visible_count(), 80);
}

TEST(Masks, symmetry_needs_part_window_and_a_ratio_above_one_half) {
  EXPECT_EQ(message({.ratio = 0.5, .symmetry = MaskSymmetry::local}),
            "symmetric masks need a mask ratio above 0.5; got 0.5");
  // 25.5 masked of 50 truncates to 25: the 25 visible tokens fill their half exactly.
  const MaskGenerator fullest({.ratio = 0.51, .symmetry = MaskSymmetry::global});
  PhiloxStream random(1, 1);
  const auto mask = fullest.draw(random);
  EXPECT_EQ(masked_in(mask, 0, 0, 5) + masked_in(mask, 0, 5, 10), 25);
  EXPECT_EQ(masked_in(mask, 0, 0, 5) * masked_in(mask, 0, 5, 10), 0);
  EXPECT_EQ(message({.type = MaskType::tube, .symmetry = MaskSymmetry::global}),
            "symmetric masks need the mask type part_window");
}

TEST(Masks, a_ratio_that_leaves_nothing_visible_or_nothing_masked_is_refused) {
  EXPECT_EQ(message({.ratio = 1.0}),
            "mask ratio 1 masks all 50 tokens of a window and leaves nothing visible; lower it");
  EXPECT_EQ(message({.ratio = 0.01}),
            "mask ratio 0.01 masks none of the 50 tokens of a window; raise it");
  EXPECT_THAT(message({.ratio = 1.5}), ::testing::HasSubstr("between 0 and 1"));
  EXPECT_THAT(message({.ratio = std::nan("")}), ::testing::HasSubstr("between 0 and 1"));
}

TEST(Masks, windows_must_span_the_width_and_divide_the_height) {
  EXPECT_THAT(message({.window = {2, 5, 5}}), ::testing::HasSubstr("2x5x5: its 5 columns"));
  EXPECT_THAT(message({.window = {2, 4, 10}}), ::testing::HasSubstr("4 rows do not divide the 10"));
  EXPECT_THAT(message({.window = {2, 5, 9}, .grid = {8, 10, 9}}),
              ::testing::HasSubstr("must be even"));
  EXPECT_THAT(message({.window = {2, 0, 10}}), ::testing::HasSubstr("do not divide"));
  EXPECT_THAT(message({.grid = {8, 0, 10}}), ::testing::HasSubstr("sides must be in"));
}

TEST(Masks, tube_with_regions_is_refused) {
  EXPECT_THAT(message({.type = MaskType::tube, .region = kRegion}),
              ::testing::HasSubstr("unequal numbers of visible tokens"));
}

TEST(Masks, regions_must_see_equal_numbers) {
  EXPECT_THAT(message({.region = {{2, 2, 10}}}), ::testing::HasSubstr("regions of 2x2x10"));
  EXPECT_THAT(message({.region = {{2, 5, 5}}}), ::testing::HasSubstr("regions of 2x5x5"));
  EXPECT_THAT(message({.region = {{3, 5, 10}}}), ::testing::HasSubstr("3x5x10 does not tile"));
  const MaskGenerator whole_frame({.region = {{4, 10, 10}}});
  EXPECT_EQ(whole_frame.visible_per_region(), 40) << "two windows of 5 in each of 4 time steps";
}

TEST(Masks, counts_per_region_are_integers_where_the_reference_rounds_wrongly) {
  // 29 visible per window: 50 * (464 / 800) is 28.999999999999996 in double.
  const MaskGenerator generator({.ratio = 0.43, .region = kRegion});
  EXPECT_EQ(generator.visible_per_region(), 58);
}

TEST(Masks, names_are_checked) {
  EXPECT_EQ(mask_type_from("tube"), MaskType::tube);
  EXPECT_EQ(mask_symmetry_from("local"), MaskSymmetry::local);
  EXPECT_THROW(mask_type_from("random"), Error);
  EXPECT_THROW(mask_symmetry_from("left"), Error);
}

}  // namespace
}  // namespace grimace
