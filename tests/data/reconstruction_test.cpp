#include "data/reconstruction_picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data/clip.h"
#include "ir/error.h"
#include "ir/philox.h"

namespace grimace {
namespace {

constexpr int kFrames = 8, kHeight = 8, kWidth = 12, kPatch = 4;
constexpr int kRows = kHeight / kPatch, kColumns = kWidth / kPatch;
constexpr int kTokens = kFrames / 2 * kRows * kColumns;

size_t at(int c, int f, int y, int x) {
  return ((static_cast<size_t>(c) * kFrames + f) * kHeight + y) * kWidth + x;
}

// Byte pixels as [0, 1] floats.
std::vector<float> pixels() {
  PhiloxStream random(3, 1);
  std::vector<float> video(size_t{3} * kFrames * kHeight * kWidth);
  for (float& v : video) v = static_cast<float>(random.below(256)) / 255.0f;
  return video;
}

std::vector<float> normalised(std::vector<float> video) {
  const size_t plane = video.size() / 3;
  for (size_t i = 0; i < video.size(); ++i)
    video[i] = (video[i] - kPixelMean<float>[i / plane]) / kPixelStd<float>[i / plane];
  return video;
}

std::vector<uint8_t> random_mask() {
  PhiloxStream random(4, 1);
  std::vector<uint8_t> mask(kTokens);
  for (uint8_t& m : mask) m = random.uniform() < 0.6 ? 1 : 0;
  return mask;
}

// The targets of spec 5.1 and 5.2, written out over tokens.
std::vector<float> targets(const std::vector<float>& video, const std::vector<uint8_t>& mask,
                           const ReconstructionOptions& o) {
  std::vector<double> z(video.begin(), video.end());
  for (int t = 0; t < kTokens; ++t) {
    const int f0 = t / (kRows * kColumns) * 2;
    const int y0 = t / kColumns % kRows * kPatch;
    const int x0 = t % kColumns * kPatch;
    for (int c = 0; c < 3 && o.normalised; ++c) {
      std::vector<size_t> cube;
      for (int f = 0; f < 2; ++f)
        for (int y = 0; y < kPatch; ++y)
          for (int x = 0; x < kPatch; ++x) cube.push_back(at(c, f0 + f, y0 + y, x0 + x));
      double mean = 0, squares = 0;
      for (const size_t i : cube) mean += video[i] / static_cast<double>(cube.size());
      for (const size_t i : cube) squares += (video[i] - mean) * (video[i] - mean);
      const double scale = std::sqrt(squares / static_cast<double>(cube.size() - 1)) + 1e-6;
      for (const size_t i : cube) z[i] = (video[i] - mean) / scale;
    }
  }
  std::vector<float> out;
  for (int t = 0; t < kTokens; ++t) {
    if (mask[t] == 0) continue;
    for (int f = t / (kRows * kColumns) * 2, end = f + 2; f < end; ++f)
      for (int y = t / kColumns % kRows * kPatch, y1 = y + kPatch; y < y1; ++y)
        for (int x = t % kColumns * kPatch, x1 = x + kPatch; x < x1; ++x)
          for (int c = 0; c < 3; ++c) {
            const int start = f - f % o.diff_group_size;
            const bool difference = o.frame_diff && start != f;
            out.push_back(
                static_cast<float>(z[at(c, f, y, x)] - (difference ? z[at(c, start, y, x)] : 0.0)));
          }
  }
  return out;
}

Reconstruction reconstruct(const std::vector<float>& video, const std::vector<uint8_t>& mask,
                           const std::vector<float>& prediction, const ReconstructionOptions& o) {
  return reconstruct_clip(video, kFrames, kHeight, kWidth, mask, prediction, o);
}

class TrueTargets : public ::testing::TestWithParam<ReconstructionOptions> {};

TEST_P(TrueTargets, give_the_original_back) {
  const std::vector<float> video = pixels();
  const std::vector<uint8_t> mask = random_mask();
  const Reconstruction clip =
      reconstruct(normalised(video), mask, targets(video, mask, GetParam()), GetParam());
  for (size_t i = 0; i < video.size(); ++i) {
    ASSERT_NEAR(clip.original.values[i], video[i], 1e-6) << i;
    ASSERT_NEAR(clip.result.values[i], video[i], 1e-5) << i;
  }
  for (int f = 0; f < kFrames; ++f) {
    const Image shown = frame_picture(clip.result, f);
    for (int y = 0; y < kHeight; ++y)
      for (int x = 0; x < kWidth; ++x)
        for (int c = 0; c < 3; ++c)
          ASSERT_NEAR(shown.rgb[(y * kWidth + x) * 3 + c],
                      std::min(video[at(c, f, y, x)], 0.996f) * 255.0f, 1.0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Reconstruction, TrueTargets,
    ::testing::Values(ReconstructionOptions{.patch = kPatch},
                      ReconstructionOptions{.patch = kPatch, .frame_diff = false},
                      ReconstructionOptions{.patch = kPatch, .normalised = false},
                      ReconstructionOptions{
                          .patch = kPatch, .normalised = false, .frame_diff = false},
                      ReconstructionOptions{.patch = kPatch, .diff_group_size = 4},
                      ReconstructionOptions{.patch = kPatch, .diff_group_size = 8}));

TEST(Reconstruction, a_zero_prediction_shows_the_mean_of_each_masked_cube) {
  const std::vector<float> video = pixels();
  std::vector<uint8_t> mask(kTokens, 0);
  mask[kTokens - 1] = 1;
  const ReconstructionOptions options{.patch = kPatch};
  const std::vector<float> zero(2 * kPatch * kPatch * 3, 0.0f);
  const Reconstruction clip = reconstruct(normalised(video), mask, zero, options);
  double mean = 0;
  for (int f = kFrames - 2; f < kFrames; ++f)
    for (int y = kHeight - kPatch; y < kHeight; ++y)
      for (int x = kWidth - kPatch; x < kWidth; ++x) mean += video[at(1, f, y, x)] / 32.0;
  EXPECT_NEAR(clip.result.values[at(1, kFrames - 1, kHeight - 1, kWidth - 1)], mean, 1e-5);
  EXPECT_EQ(clip.masked.values[at(1, kFrames - 1, kHeight - 1, kWidth - 1)], 0.0f);
  EXPECT_EQ(clip.masked.values[at(1, 0, 0, 0)], clip.original.values[at(1, 0, 0, 0)]);
}

TEST(Reconstruction, differences_lie_around_mid_grey_and_keep_their_sign) {
  PlanarVideo video{2, 1, 2, {0.2f, 0.4f, 0.3f, 0.4f, 0, 0, 0, 0, 0, 0, 0, 0}};
  const ReconstructionOptions options{.patch = 1, .difference_gain = 1.0f};
  const Image shown = difference_picture(video, 1, options);
  EXPECT_NEAR(shown.rgb[0], 0.6 * 255, 1.0);
  EXPECT_EQ(shown.rgb[3], 127);
  EXPECT_EQ(difference_picture(video, 0, options).rgb, frame_picture(video, 0).rgb);
}

TEST(Reconstruction, values_out_of_range_or_not_finite_still_give_a_picture) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const PlanarVideo video{1, 1, 1, {nan, 7.0f, -3.0f}};
  EXPECT_EQ(frame_picture(video, 0).rgb, (std::vector<uint8_t>{0, 253, 0}));
}

TEST(Reconstruction, sizes_that_do_not_agree_are_refused) {
  const std::vector<float> video = normalised(pixels());
  const std::vector<uint8_t> mask(kTokens, 1);
  const std::vector<float> prediction(size_t{kTokens} * 2 * kPatch * kPatch * 3);
  EXPECT_NO_THROW(reconstruct(video, mask, prediction, {.patch = kPatch}));
  EXPECT_THROW(reconstruct(video, mask, prediction, {.patch = 5}), Error);
  EXPECT_THROW(reconstruct(video, mask, prediction, {.patch = kPatch, .diff_group_size = 3}),
               Error);
  EXPECT_THROW(reconstruct(video, mask, prediction, {.patch = kPatch, .diff_group_size = 0}),
               Error);
  EXPECT_THROW(reconstruct({1.0f}, mask, prediction, {.patch = kPatch}), Error);
  EXPECT_THROW(reconstruct(video, {1, 0}, prediction, {.patch = kPatch}), Error);
  EXPECT_THROW(reconstruct(video, mask, {1.0f}, {.patch = kPatch}), Error);
  EXPECT_THROW(frame_picture(PlanarVideo{1, 1, 1, {0, 0, 0}}, 1), Error);
}

TEST(Reconstruction, chosen_frames_end_their_groups_and_spread_over_the_clip) {
  EXPECT_EQ(motion_frames(16, 4, {}), (std::vector<int>{1, 5, 9, 13}));
  EXPECT_EQ(motion_frames(16, 99, {.diff_group_size = 4}), (std::vector<int>{3, 7, 11, 15}));
}

TEST(Reconstruction, the_grid_has_a_row_for_every_kind_of_picture) {
  const std::vector<float> video = pixels();
  const std::vector<uint8_t> mask = random_mask();
  const ReconstructionOptions options{.patch = kPatch};
  const Reconstruction clip =
      reconstruct(normalised(video), mask, targets(video, mask, options), options);
  const Image one = reconstruction_grid(clip, {1}, options);
  const Image three = reconstruction_grid(clip, {1, 3, 5}, options);
  EXPECT_GE(one.height, 5 * kHeight);
  EXPECT_EQ(one.height, three.height);
  EXPECT_GE(three.width - one.width, 2 * kWidth);
}

}  // namespace
}  // namespace grimace
