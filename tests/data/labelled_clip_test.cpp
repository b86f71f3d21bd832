// The examples of spec 8.3 and 8.6, and the rules between them.
#include "data/labelled_clip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using Indices = std::vector<int64_t>;

Indices training(int64_t frames, int rate, int64_t end = -1) {
  const FrameConfig config{.sampling_rate = rate};
  return training_indices(frames, end < 0 ? frames : end, config);
}

TEST(TrainingFrames, a_short_clip_is_taken_whole_and_padded_with_its_last_frame) {
  EXPECT_EQ(training(40, 4),
            (Indices{0, 4, 8, 13, 17, 22, 26, 31, 35, 39, 39, 39, 39, 39, 39, 39}));
  EXPECT_EQ(training(64, 4),
            (Indices{0, 4, 8, 12, 17, 21, 25, 29, 34, 38, 42, 46, 51, 55, 59, 63}));
  EXPECT_EQ(training(63, 4),
            (Indices{0, 4, 9, 13, 18, 22, 27, 31, 36, 40, 45, 49, 54, 58, 62, 62}));
  EXPECT_EQ(training(5, 4), (Indices{0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4}));
  EXPECT_EQ(training(3, 4), Indices(16, 2));
  EXPECT_EQ(training(1, 4), Indices(16, 0));
  EXPECT_EQ(training(10, 1), (Indices{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9}));
}

TEST(TrainingFrames, a_long_clip_is_spaced_over_its_span_inclusive) {
  EXPECT_EQ(training(100, 4, 64),
            (Indices{0, 4, 8, 12, 17, 21, 25, 29, 34, 38, 42, 46, 51, 55, 59, 63}));
  EXPECT_EQ(training(100, 4, 99),
            (Indices{35, 39, 43, 47, 52, 56, 60, 64, 69, 73, 77, 81, 86, 90, 94, 98}));
  EXPECT_EQ(training(30, 1, 20),
            (Indices{4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));
}

TEST(TrainingFrames, the_end_is_drawn_from_the_span_to_the_last_frame) {
  PhiloxStream random(1, 2);
  std::set<int64_t> ends;
  for (int i = 0; i < 500; ++i) ends.insert(draw_end(70, {}, random));
  EXPECT_EQ(ends, (std::set<int64_t>{64, 65, 66, 67, 68, 69}));
  EXPECT_EQ(draw_end(64, {}, random), 64);
  EXPECT_EQ(draw_end(2, {}, random), 2);
}

TEST(TrainingFrames, every_length_and_rate_gives_rising_frames_of_the_clip) {
  PhiloxStream random(1, 3);
  for (const int frames : {1, 2, 16})
    for (const int rate : {1, 3, 4})
      for (int64_t count = 1; count < 150; ++count) {
        const FrameConfig config{.frames = frames, .sampling_rate = rate};
        const Indices indices = training_indices(count, draw_end(count, config, random), config);
        ASSERT_EQ(std::ssize(indices), frames);
        EXPECT_TRUE(std::is_sorted(indices.begin(), indices.end()));
        EXPECT_GE(indices.front(), 0);
        EXPECT_LT(indices.back(), count);
      }
}

TEST(ViewFrames, segments_start_at_the_first_and_the_last_window_of_sampled_frames) {
  const FrameConfig config;
  EXPECT_EQ(view_indices(100, 0, 2, config),
            (Indices{0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60}));
  EXPECT_EQ(view_indices(100, 1, 2, config),
            (Indices{36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96}));
  EXPECT_EQ(view_indices(101, 1, 2, config).back(), 100) << "26 sampled frames";
  EXPECT_EQ(view_indices(100, 1, 3, config).front(), 16) << "int(1 * 4.5) = 4";
  EXPECT_EQ(view_indices(100, 0, 1, config).front(), 0) << "no division by zero";
}

TEST(ViewFrames, a_short_clip_repeats_its_last_sampled_frame_in_every_segment) {
  const Indices expected{0, 4, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8};
  for (const int segment : {0, 1}) EXPECT_EQ(view_indices(10, segment, 2, {}), expected);
  EXPECT_EQ(view_indices(1, 1, 2, {}), Indices(16, 0));
}

TEST(ViewFrames, crops_go_along_the_longer_side_and_coincide_on_squares) {
  EXPECT_EQ(view_box(160, 160, 160, 0, 2), (Box{0, 0, 160, 160}));
  EXPECT_EQ(view_box(160, 160, 160, 1, 2), (Box{0, 0, 160, 160}));
  EXPECT_EQ(view_box(160, 201, 160, 1, 2), (Box{0, 41, 160, 160}));
  EXPECT_EQ(view_box(201, 160, 160, 1, 3), (Box{20, 0, 160, 160}));
  EXPECT_EQ(view_box(201, 160, 160, 0, 1), (Box{0, 0, 160, 160}));
}

TEST(ReadSquare, frames_lose_their_shape_and_may_differ_in_size) {
  const testing::ScratchDir scratch;
  const auto folder = scratch / "clip";
  std::filesystem::create_directory(folder);
  write_png(folder / "1.png", make_image(40, 20, {200, 10, 10}));
  write_png(folder / "2.png", make_image(16, 90, {10, 10, 200}));
  const auto images = read_square(*open_frames(folder), {0, 1, 1}, 24);
  ASSERT_EQ(images.size(), 3u);
  EXPECT_EQ(images[0].rgb, make_image(24, 24, {200, 10, 10}).rgb);
  EXPECT_EQ(images[1].rgb, make_image(24, 24, {10, 10, 200}).rgb);
  EXPECT_EQ(images[2].rgb, images[1].rgb);
}

TEST(FrameConfig, values_out_of_range_are_refused) {
  EXPECT_NO_THROW(validate(FrameConfig{}));
  EXPECT_THROW(validate(FrameConfig{.frames = 0}), Error);
  EXPECT_THROW(validate(FrameConfig{.sampling_rate = 0}), Error);
  EXPECT_THROW(validate(FrameConfig{.image_size = 1 << 20}), Error);
}

}  // namespace
}  // namespace grimace
