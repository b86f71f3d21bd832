#include "data/mixup.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

// Every value of clip b is 10 b, so that each tells where it came from.
Tensor video_of(int64_t batch) {
  Tensor video(DType::f32, {batch, 3, 2, 6, 8});
  const auto values = video.as<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(10 * (i / (values.size() / static_cast<size_t>(batch))));
  return video;
}

TEST(Mixup, blends_every_clip_with_its_partner_in_the_reversed_batch) {
  Tensor video = video_of(4);
  mix_video(video, {.lam = 0.75});
  const float expected[] = {7.5f, 12.5f, 17.5f, 22.5f};  // .75 * 0 + .25 * 30, ...
  const auto values = video.as<float>();
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], expected[i / (values.size() / 4)]) << i;
}

TEST(Mixup, cutmix_pastes_the_same_box_of_the_partner_in_all_frames_and_colours) {
  Tensor video = video_of(2);
  mix_video(video, {.lam = 0.5, .box = Box{2, 1, 3, 4}});
  const auto values = video.as<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t clip = i / (values.size() / 2), y = i / 8 % 6, x = i % 8;
    const bool inside = x >= 2 && x < 5 && y >= 1 && y < 5;
    ASSERT_EQ(values[i], inside == (clip == 0) ? 10.0f : 0.0f) << i;
  }
}

TEST(Mixup, a_share_of_one_and_an_empty_box_change_nothing) {
  for (const Mix& mix : {Mix{}, Mix{1, Box{3, 2, 0, 4}}}) {
    Tensor video = video_of(2);
    mix_video(video, mix);
    const Tensor before = video_of(2);
    EXPECT_TRUE(std::equal(video.data(), video.data() + video.bytes(), before.data()));
  }
}

TEST(Mixup, targets_mix_smoothed_labels) {
  const std::vector<int32_t> labels{0, 2, 2, 4};
  const Tensor targets = soft_targets(labels, 5, 0.75, 0.1);
  ASSERT_EQ(targets.type(), (TensorType{DType::f32, {4, 5}}));
  const double off = 0.1 / 5, on = 1 - 0.1 + off;
  for (int64_t i = 0; i < 4; ++i)
    for (int64_t c = 0; c < 5; ++c) {
      const double own = labels[static_cast<size_t>(i)] == c ? on : off;
      const double partner = labels[static_cast<size_t>(3 - i)] == c ? on : off;
      EXPECT_NEAR(targets.as<float>()[static_cast<size_t>(i * 5 + c)], 0.75 * own + 0.25 * partner,
                  1e-7);
    }
  const auto all = targets.as<float>();
  EXPECT_NEAR(std::accumulate(all.begin(), all.end(), 0.0), 4, 1e-6);
}

TEST(Mixup, a_cut_box_is_centred_anywhere_clipped_and_lam_is_what_it_leaves) {
  PhiloxStream random(5, 6);
  const MixupConfig config{.mixup = 0};
  double lam = 0;
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    const Mix mix = draw_mix(config, 160, 120, random);
    ASSERT_TRUE(mix.box.has_value());
    const Box& box = *mix.box;
    ASSERT_TRUE(box.x >= 0 && box.y >= 0 && box.width >= 0 && box.height >= 0);
    ASSERT_TRUE(box.x + box.width <= 160 && box.y + box.height <= 120);
    EXPECT_DOUBLE_EQ(mix.lam, 1 - box.width * box.height / (160.0 * 120.0));
    lam += mix.lam / kDraws;
  }
  // Uniform lam before correction. E[cut] follows from the integral of clipped areas: with
  // r = sqrt(1 - lam), a side keeps r - r^2 / 4 of its length on average, and the density of r
  // is 2 r, so E = integral of 2 r (r - r^2/4)^2 = 2 (1/4 - 1/10 + 1/96).
  EXPECT_NEAR(lam, 1 - 2 * (1.0 / 4 - 1.0 / 10 + 1.0 / 96), 0.02);
}

TEST(Mixup, beta_draws_have_their_mean_and_variance) {
  for (const double alpha : {0.01, 0.2, 0.8, 1.0, 5.0, 100.0}) {
    PhiloxStream random(7, 8);
    constexpr int kDraws = 40000;
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = draw_beta(alpha, random);
      ASSERT_TRUE(x >= 0 && x <= 1) << alpha;
      sum += x;
      squares += (x - 0.5) * (x - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(variance / kDraws)) << alpha;
    EXPECT_NEAR(squares / kDraws / variance, 1, 0.04) << alpha;
  }
}

TEST(Mixup, the_coin_and_the_probability_choose_what_is_done) {
  PhiloxStream random(9, 10);
  int cut = 0, blended = 0, left = 0;
  for (int i = 0; i < 4000; ++i) {
    const Mix mix = draw_mix({.mixup_prob = 0.75, .mixup_switch_prob = 0.25}, 32, 32, random);
    if (mix.box)
      ++cut;
    else if (mix.lam != 1)
      ++blended;
    else
      ++left;
  }
  EXPECT_NEAR(cut, 750, 140);
  EXPECT_NEAR(blended, 2250, 160);
  EXPECT_NEAR(left, 1000, 140);
  EXPECT_FALSE(draw_mix({.cutmix = 0}, 32, 32, random).box.has_value());
  EXPECT_EQ(draw_mix({.mixup = 0, .cutmix = 0}, 32, 32, random).lam, 1);
}

TEST(Mixup, an_odd_batch_and_values_out_of_range_are_refused) {
  EXPECT_NO_THROW(validate(MixupConfig{}, 6));
  EXPECT_NO_THROW(validate(MixupConfig{.mixup = 0, .cutmix = 0}, 5));
  EXPECT_EQ(testing::error_of([&] { validate(MixupConfig{}, 5); }),
            "mixup and cutmix mix pairs of clips: the batch of 5 must be even; an even "
            "--batch-size, or --mixup 0 --cutmix 0");
  EXPECT_THROW(validate(MixupConfig{.mixup = -1}, 6), Error);
  EXPECT_THROW(validate(MixupConfig{.cutmix = 1e9}, 6), Error);
  EXPECT_THROW(validate(MixupConfig{.mixup_prob = 1.1}, 6), Error);
  EXPECT_THROW(validate(MixupConfig{.smoothing = std::nan("")}, 6), Error);
}

}  // namespace
}  // namespace grimace
