#include "data/sliding_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/labelled_clip.h"

namespace grimace {
namespace {

// First and last sample of each window of a clip of `count` samples.
std::vector<std::pair<int, int>> windows(int count, int64_t length, int64_t stride) {
  std::vector<std::pair<int, int>> found;
  SlidingWindow<int> window(length, stride);
  const auto note = [&] {
    const auto samples = window.window();
    EXPECT_EQ(std::ssize(samples), length);
    found.emplace_back(samples.front(), samples.back());
  };
  for (int i = 0; i < count; ++i) {
    if (window.push(i)) note();
    EXPECT_LE(std::ssize(window.held()), length);
  }
  if (window.unfinished()) note();
  return found;
}

using Pairs = std::vector<std::pair<int, int>>;

TEST(SlidingWindow, steps_by_the_stride) {
  EXPECT_EQ(windows(32, 16, 8), (Pairs{{0, 15}, {8, 23}, {16, 31}}));
  EXPECT_EQ(windows(16, 16, 16), (Pairs{{0, 15}}));
}

TEST(SlidingWindow, ends_with_the_clip) {
  EXPECT_EQ(windows(20, 16, 8), (Pairs{{0, 15}, {4, 19}}));
  EXPECT_EQ(windows(17, 16, 16), (Pairs{{0, 15}, {1, 16}}));
  EXPECT_EQ(windows(35, 16, 8), (Pairs{{0, 15}, {8, 23}, {16, 31}, {19, 34}}));
}

TEST(SlidingWindow, repeats_the_last_sample_of_a_short_clip) {
  EXPECT_EQ(windows(3, 16, 8), (Pairs{{0, 2}}));
  EXPECT_EQ(windows(1, 16, 8), (Pairs{{0, 0}}));
  EXPECT_TRUE(windows(0, 16, 8).empty());
  SlidingWindow<int> window(4, 1);
  for (const int i : {0, 1}) window.push(i);
  EXPECT_EQ(window.window(), (std::vector{0, 1, 1, 1}));
}

// One window at the start and one at the end are the two segments of a test.
TEST(SlidingWindow, agrees_with_the_views_of_a_data_set) {
  const FrameConfig clip{.frames = 16, .sampling_rate = 4};
  for (const int frames : {5, 41, 64, 75, 100}) {
    SlidingWindow<int64_t> window(16, 16);
    std::vector<int64_t> first, last;
    for (int64_t frame = 0; frame < frames; frame += 4)
      if (window.push(frame) && first.empty()) first = window.window();
    last = window.window();
    if (first.empty()) first = last;
    EXPECT_EQ(first, view_indices(frames, 0, 2, clip)) << frames;
    EXPECT_EQ(last, view_indices(frames, 1, 2, clip)) << frames;
  }
}

TEST(SlidingWindow, refuses_a_stride_that_leaves_samples_out) {
  EXPECT_THROW(SlidingWindow<int>(16, 17), Error);
  EXPECT_THROW(SlidingWindow<int>(16, 0), Error);
}

}  // namespace
}  // namespace grimace
