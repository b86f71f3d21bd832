#include "data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/clip.h"
#include "ir/error.h"

namespace grimace {
namespace {

bool inside(const Box& box, int width, int height) {
  return box.x >= 0 && box.y >= 0 && box.width >= 0 && box.height >= 0 &&
         box.x + box.width <= width && box.y + box.height <= height;
}

TEST(ResizedCrop, areas_and_shapes_fill_their_intervals) {
  PhiloxStream random(1, 1);
  double least = 1, most = 0, low_log = 0, high_log = 0;
  int whole = 0;
  for (int i = 0; i < 20000; ++i) {
    const Box box = draw_resized_crop(160, 160, {}, random);
    ASSERT_TRUE(inside(box, 160, 160));
    const double area = box.width * box.height / 25600.0;
    const double shape = std::log(static_cast<double>(box.width) / box.height);
    least = std::min(least, area);
    most = std::max(most, area);
    low_log = std::min(low_log, shape);
    high_log = std::max(high_log, shape);
    whole += box == Box{0, 0, 160, 160};
  }
  EXPECT_NEAR(least, 0.08, 0.005);
  EXPECT_GT(most, 0.97);
  EXPECT_NEAR(low_log, std::log(0.75), 0.03);
  EXPECT_NEAR(high_log, std::log(4.0 / 3), 0.03);
  EXPECT_LT(whole, 200) << "ten failures in a row are rare";
}

TEST(ResizedCrop, every_place_of_a_small_box_is_equally_likely) {
  PhiloxStream random(1, 2);
  const AugmentConfig config{.crop_area = {0.25, 0.25}, .crop_aspect = {1, 1}};
  int counts[5][5] = {};
  for (int i = 0; i < 25000; ++i) {
    const Box box = draw_resized_crop(8, 8, config, random);
    ASSERT_EQ(box.width, 4);
    ASSERT_EQ(box.height, 4);
    ++counts[box.y][box.x];
  }
  for (const auto& row : counts)
    for (const int count : row) EXPECT_NEAR(count, 1000, 160);
}

TEST(ResizedCrop, a_frame_without_a_fitting_box_gives_the_largest_central_one) {
  PhiloxStream random(1, 3);
  const AugmentConfig config{.crop_area = {1, 1}};
  EXPECT_EQ(draw_resized_crop(400, 90, config, random), (Box{140, 0, 120, 90}));
  EXPECT_EQ(draw_resized_crop(90, 400, config, random), (Box{0, 140, 90, 120}));
  const AugmentConfig same{.crop_area = {1, 1}, .crop_aspect = {1, 1}};
  EXPECT_EQ(draw_resized_crop(64, 64, same, random), (Box{0, 0, 64, 64}));
}

TEST(Erasing, boxes_have_the_published_areas_and_are_smaller_than_the_frame) {
  PhiloxStream random(2, 1);
  int erased = 0;
  double least = 1, most = 0;
  for (int i = 0; i < 20000; ++i)
    for (const Box& box : draw_erasing(160, 160, {}, random)) {
      ++erased;
      ASSERT_TRUE(inside(box, 160, 160));
      ASSERT_TRUE(box.width < 160 && box.height < 160);
      const double area = box.width * box.height / 25600.0;
      least = std::min(least, area);
      most = std::max(most, area);
    }
  EXPECT_NEAR(erased, 5000, 310);
  EXPECT_NEAR(least, 0.02, 0.002);
  EXPECT_NEAR(most, 1.0 / 3, 0.005);
}

TEST(Erasing, several_boxes_share_the_area) {
  PhiloxStream random(2, 2);
  for (int i = 0; i < 100; ++i) {
    const auto boxes = draw_erasing(160, 160, {.reprob = 1, .recount = 3}, random);
    ASSERT_EQ(boxes.size(), 3u);
    for (const Box& box : boxes) EXPECT_LE(box.width * box.height, 25600 / 9 * 1.03);
  }
}

TEST(Erasing, noise_is_new_in_every_plane_and_outside_the_box_nothing_changes) {
  PhiloxStream random(2, 3);
  constexpr float kUntouched = 77;
  std::vector<float> clip(6 * 20 * 30, kUntouched);
  erase(clip, 20, 30, {4, 3, 20, 15}, random);
  double sum = 0, squares = 0;
  for (size_t i = 0; i < clip.size(); ++i) {
    const size_t x = i % 30, y = i / 30 % 20;
    ASSERT_EQ(clip[i] != kUntouched, x >= 4 && x < 24 && y >= 3 && y < 18) << i;
    if (clip[i] == kUntouched) continue;
    sum += clip[i];
    squares += clip[i] * clip[i];
  }
  EXPECT_NEAR(sum / 1800, 0, 0.12);
  EXPECT_NEAR(squares / 1800, 1, 0.17);
  EXPECT_NE(clip[3 * 30 + 4], clip[600 + 3 * 30 + 4]);
}

// Frames with a mark that moves to the right.
std::vector<Image> marked_frames(int count) {
  std::vector<Image> frames;
  for (int t = 0; t < count; ++t) {
    frames.push_back(make_image(16, 16, {10, 20, 30}));
    paste(frames.back(), make_image(2, 16, {250, 240, 230}), 2 * t, 0);
  }
  return frames;
}

constexpr AugmentConfig kNothing{
    .aa = std::nullopt, .crop_area = {1, 1}, .crop_aspect = {1, 1}, .flip = 0, .reprob = 0};

TEST(AugmentClip, without_changes_it_normalises_into_colour_frame_row_column) {
  const auto frames = marked_frames(3);
  std::vector<float> out(3 * 3 * 256);
  PhiloxStream random(3, 1);
  augment_clip(frames, kNothing, random, out);
  for (size_t c = 0; c < 3; ++c)
    for (size_t t = 0; t < 3; ++t)
      for (size_t i = 0; i < 256; ++i) {
        const float value = static_cast<float>(frames[t].rgb[i * 3 + c]) / 255;
        ASSERT_NEAR(out[(c * 3 + t) * 256 + i],
                    (value - kPixelMean<float>[c]) / kPixelStd<float>[c], 1e-6);
      }
}

TEST(AugmentClip, a_flip_mirrors_every_frame) {
  const auto frames = marked_frames(2);
  std::vector<float> plain(2 * 3 * 256), flipped(plain.size());
  AugmentConfig config = kNothing;
  PhiloxStream random(3, 2);
  augment_clip(frames, config, random, plain);
  config.flip = 1;
  augment_clip(frames, config, random, flipped);
  for (size_t i = 0; i < plain.size(); ++i)
    ASSERT_EQ(flipped[i], plain[i / 16 * 16 + 15 - i % 16]) << i;
}

// Equal frames must stay equal: crop, flip and RandAugment are the clip's, not the frame's.
TEST(AugmentClip, all_frames_of_a_clip_are_changed_in_the_same_way) {
  const std::vector<Image> frames(4, marked_frames(3)[2]);
  std::vector<float> out(4 * 3 * 256);
  bool differs = false;
  for (uint64_t clip = 0; clip < 20; ++clip) {
    PhiloxStream random(4, clip);
    const std::vector<float> before = out;
    augment_clip(frames, {.reprob = 0}, random, out);
    for (size_t c = 0; c < 3; ++c)
      for (size_t t = 1; t < 4; ++t)
        ASSERT_TRUE(std::equal(out.begin() + static_cast<ptrdiff_t>(c * 1024),
                               out.begin() + static_cast<ptrdiff_t>(c * 1024 + 256),
                               out.begin() + static_cast<ptrdiff_t>(c * 1024 + t * 256)));
    differs = differs || before != out;
  }
  EXPECT_TRUE(differs);
}

// Spec 8.3: on the bytes, before anything else is done to a frame.
TEST(AugmentClip, rand_augment_comes_first) {
  const std::vector<Image> frames = marked_frames(1);
  const AugmentConfig config{.crop_area = {1, 1}, .flip = 0, .reprob = 0};
  std::vector<float> out(3 * 256), expected(out.size());
  int changed = 0;
  for (uint64_t clip = 0; clip < 20; ++clip) {
    PhiloxStream random(5, clip), same(5, clip);
    augment_clip(frames, config, random, out);
    Image image = frames[0];
    for (const AugmentStep& step : draw_rand_augment(*config.aa, same)) image = apply(step, image);
    normalise(image, expected.data(), 256);
    const Box box = draw_resized_crop(16, 16, config, same);
    if (box != Box{0, 0, 16, 16}) continue;
    ASSERT_EQ(out, expected) << clip;
    changed += image.rgb != frames[0].rgb ? 1 : 0;
  }
  EXPECT_GT(changed, 0);
}

TEST(AugmentClip, erasing_differs_between_frames_within_one_box) {
  const std::vector<Image> frames(2, make_image(16, 16, {9, 9, 9}));
  std::vector<float> out(2 * 3 * 256), plain(out.size());
  AugmentConfig config = kNothing;
  PhiloxStream random(4, 1);
  augment_clip(frames, config, random, plain);
  config.reprob = 1;
  augment_clip(frames, config, random, out);
  int erased = 0;
  for (size_t i = 0; i < 256; ++i) {
    const bool first = out[i] != plain[i];
    EXPECT_EQ(first, out[256 + i] != plain[256 + i]);
    EXPECT_TRUE(!first || out[i] != out[256 + i]);
    erased += first;
  }
  EXPECT_GT(erased, 0);
  EXPECT_LT(erased, 120);
}

TEST(AugmentConfig, values_out_of_range_are_refused) {
  EXPECT_NO_THROW(validate(AugmentConfig{}));
  EXPECT_THROW(validate(AugmentConfig{.crop_area = {0.5, 0.4}}), Error);
  EXPECT_THROW(validate(AugmentConfig{.crop_area = {0, 1}}), Error);
  EXPECT_THROW(validate(AugmentConfig{.crop_aspect = {1, 1e9}}), Error);
  EXPECT_THROW(validate(AugmentConfig{.flip = -0.1}), Error);
  EXPECT_THROW(validate(AugmentConfig{.reprob = std::numeric_limits<double>::quiet_NaN()}), Error);
  EXPECT_THROW(validate(AugmentConfig{.recount = 0}), Error);
}

}  // namespace
}  // namespace grimace
