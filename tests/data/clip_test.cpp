#include "data/clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;

TEST(ClipIndices, a_short_clip_repeats_the_last_reachable_frame) {
  EXPECT_THAT(clip_indices(50, 0, {}),
              ElementsAre(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 48, 48, 48));
}

TEST(ClipIndices, a_long_clip_steps_by_the_sampling_rate) {
  EXPECT_THAT(clip_indices(100, 36, {}),
              ElementsAre(36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96));
}

TEST(ClipIndices, never_reach_past_the_end) {
  for (int64_t frames = 1; frames < 140; ++frames)
    for (const int64_t start : {int64_t{0}, std::max<int64_t>(0, frames - 64)}) {
      const auto indices = clip_indices(frames, start, {});
      EXPECT_EQ(indices.size(), 16u);
      EXPECT_LT(indices.back(), frames);
    }
  EXPECT_THAT(clip_indices(1, 0, {.frames = 3}), ElementsAre(0, 0, 0));
  // The reference steps only if (index + 1) + rate < F, so the very last frame is not reached.
  EXPECT_THAT(clip_indices(9, 0, {.frames = 3, .sampling_rate = 4}), ElementsAre(0, 4, 4));
}

TEST(ClipStarts, are_uniform_over_all_places) {
  PhiloxStream random(1, 1);
  std::map<int64_t, int> seen;
  for (int i = 0; i < 4000; ++i) ++seen[draw_starts(67, {}, random).at(0)];
  ASSERT_EQ(seen.size(), 4u) << "67 frames have room for 67 - 64 + 1 starts";
  for (const auto& [start, count] : seen) {
    EXPECT_LT(start, 4);
    EXPECT_NEAR(count, 1000, 140);
  }
}

TEST(ClipStarts, are_zero_where_the_span_does_not_fit) {
  PhiloxStream random(1, 1);
  for (const int64_t frames : {1, 50, 63, 64})
    EXPECT_THAT(draw_starts(frames, {}, random), ElementsAre(0));
  EXPECT_THAT(draw_starts(64, {.num_samples = 2}, random), ElementsAre(0, 0));
}

TEST(ClipStarts, several_samples_share_the_places_in_order) {
  PhiloxStream random(1, 1);
  for (int i = 0; i < 200; ++i) {
    // 83 - 64 + 1 = 20 places, ten each.
    const auto starts = draw_starts(83, {.num_samples = 2}, random);
    EXPECT_LT(starts[0], 10);
    EXPECT_GE(starts[1], 10);
    EXPECT_LT(starts[1], 20);
  }
}

TEST(ClipStarts, more_samples_than_places_are_sorted_draws) {
  PhiloxStream random(1, 1);
  std::set<int64_t> seen;
  for (int i = 0; i < 200; ++i) {
    // 66 - 64 + 1 = 3 places for four samples.
    const auto starts = draw_starts(66, {.num_samples = 4}, random);
    EXPECT_TRUE(std::is_sorted(starts.begin(), starts.end()));
    seen.insert(starts.begin(), starts.end());
  }
  EXPECT_THAT(seen, ElementsAre(0, 1, 2));
}

TEST(Voxceleb2, the_face_box_is_top_aligned_and_centred) {
  EXPECT_EQ(voxceleb2_box("a", 224, 224, 160), (Box{32, 0, 160, 160}));
  EXPECT_EQ(voxceleb2_box("a", 224, 224, 112), (Box{32, 0, 160, 160}));
  EXPECT_EQ(voxceleb2_box("a", 224, 224, 192), (Box{16, 0, 192, 192}));
  EXPECT_EQ(voxceleb2_box("a", 224, 224, 224), (Box{0, 0, 224, 224}));
  EXPECT_THROW(voxceleb2_box("a", 160, 160, 160), Error);
}

TEST(Voxceleb2, is_recognised_in_any_case_anywhere_in_the_path) {
  EXPECT_TRUE(names_voxceleb2("/x/VoxCeleb2/train.csv"));
  EXPECT_TRUE(names_voxceleb2("my_voxceleb2.csv"));
  EXPECT_FALSE(names_voxceleb2("/x/voxceleb/train.csv"));
}

TEST(MultiScaleCrop, draws_ten_size_pairs_uniformly_from_thirteen_places) {
  PhiloxStream random(2, 2);
  std::map<std::pair<int, int>, int> sizes;
  std::map<std::pair<int, int>, int> places;  // of the smallest crop: 105 x 105, step 13
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const Box box = draw_crop(160, 160, 160, random);
    ++sizes[{box.width, box.height}];
    if (box.width == 105 && box.height == 105) ++places[{box.x, box.y}];
    EXPECT_LE(box.x + box.width, 160);
    EXPECT_LE(box.y + box.height, 160);
  }
  const std::vector<int> scale{160, 140, 120, 105};
  ASSERT_EQ(sizes.size(), 10u);
  for (const auto& [size, count] : sizes) {
    const auto rank = [&](int s) {
      return std::find(scale.begin(), scale.end(), s) - scale.begin();
    };
    EXPECT_LE(std::abs(rank(size.first) - rank(size.second)), 1);
    EXPECT_NEAR(count, 2000, 5 * 43);
  }
  const std::vector<std::pair<int, int>> steps{{0, 0}, {4, 0}, {0, 4}, {4, 4}, {2, 2},
                                               {0, 2}, {4, 2}, {2, 4}, {2, 0}, {1, 1},
                                               {3, 1}, {1, 3}, {3, 3}};
  ASSERT_EQ(places.size(), 13u);
  for (const auto& [column, row] : steps)
    EXPECT_TRUE(places.contains({column * 13, row * 13})) << column << ", " << row;
}

TEST(MultiScaleCrop, sizes_near_the_target_become_it) {
  PhiloxStream random(2, 2);
  std::set<int> widths;
  // int(186 * {1, .875, .75, .66}) is 186, 162, 139, 122.
  for (int i = 0; i < 400; ++i) widths.insert(draw_crop(200, 186, 160, random).width);
  EXPECT_THAT(widths, ElementsAre(122, 139, 160, 186));
  widths.clear();
  for (int i = 0; i < 400; ++i) widths.insert(draw_crop(224, 224, 160, random).width);
  EXPECT_THAT(widths, ElementsAre(147, 168, 196, 224));
  widths.clear();
  for (int i = 0; i < 400; ++i) widths.insert(draw_crop(158, 158, 160, random).width);
  EXPECT_THAT(widths, ElementsAre(104, 118, 138, 158)) << "a frame has no more than its size";
}

TEST(ClipConfig, values_out_of_range_are_named) {
  const auto message = [](const ClipConfig& config) {
    return testing::error_of([&] { validate(config); });
  };
  EXPECT_EQ(message({}), "no error");
  EXPECT_EQ(message({.frames = 0}), "the number of frames must be in 1..1024; got 0");
  EXPECT_EQ(message({.sampling_rate = 0}), "the sampling rate must be in 1..1024; got 0");
  EXPECT_EQ(message({.image_size = 1}), "the image size must be in 8..2048; got 1");
  EXPECT_EQ(message({.num_samples = 0}), "num_samples must be in 1..64; got 0");
}

class LoadClips : public ::testing::Test {
 protected:
  // A folder of 32x24 frames whose red is 10 * frame, green 2 * x, blue 200.
  void SetUp() override {
    std::filesystem::create_directory(folder_);
    for (int frame = 0; frame < 20; ++frame) {
      Image image{32, 24, {}};
      for (int y = 0; y < 24; ++y)
        for (int x = 0; x < 32; ++x)
          for (const int value : {frame * 10, x * 2, 200})
            image.rgb.push_back(static_cast<uint8_t>(value));
      write_png(folder_ / (frame < 10 ? cat("0", frame, ".png") : cat(frame, ".png")), image);
    }
  }
  std::vector<uint8_t> load(const ClipConfig& config) {
    PhiloxStream random(3, 3);
    std::vector<uint8_t> out(static_cast<size_t>(config.num_samples * clip_values(config)));
    load_clips(folder_, 1, config, random, out);
    return out;
  }

  testing::ScratchDir scratch_;
  std::filesystem::path folder_ = scratch_ / "frames";
};

TEST_F(LoadClips, spreads_frames_into_colour_planes) {
  // 4 frames x 5 span all 20 frames: the start is 0.
  const auto out = load({.frames = 4, .sampling_rate = 5, .image_size = 16, .augment = false});
  const auto at = [&](int c, int t, int y, int x) { return out[((c * 4 + t) * 16 + y) * 16 + x]; };
  for (int t = 0; t < 4; ++t) {
    EXPECT_EQ(at(0, t, 3, 3), t * 50);
    EXPECT_EQ(at(2, t, 15, 0), 200);
    EXPECT_LT(at(1, t, 8, 0), at(1, t, 8, 15)) << "columns run left to right";
    EXPECT_EQ(at(1, t, 8, 7), at(1, t, 9, 7)) << "rows are equal in this picture";
  }
}

TEST(Normalise, takes_every_colour_by_its_own_mean_and_deviation) {
  const std::vector<uint8_t> clips{0, 255, 51, 102, 200, 7};  // two pixels of each colour
  std::vector<float> out(6);
  normalise(clips, 2, out);
  EXPECT_FLOAT_EQ(out[1], (1.0f - 0.485f) / 0.229f);
  EXPECT_FLOAT_EQ(out[2], (0.2f - 0.456f) / 0.224f);
  EXPECT_FLOAT_EQ(out[4], (200.0f / 255.0f - 0.406f) / 0.225f);
}

TEST_F(LoadClips, gives_all_samples_of_a_video_the_same_crop) {
  const ClipConfig config{.frames = 2, .sampling_rate = 2, .image_size = 16, .num_samples = 3};
  const auto out = load(config);
  const auto plane = [&](int sample, int c) {
    const auto from = out.begin() + (sample * 3 + c) * 2 * 256;
    return std::vector<uint8_t>(from, from + 512);
  };
  EXPECT_EQ(plane(0, 1), plane(1, 1)) << "green depends on the crop alone";
  EXPECT_EQ(plane(0, 1), plane(2, 1));
  EXPECT_NE(plane(0, 0), plane(1, 0)) << "red is the time";
}

TEST_F(LoadClips, frames_of_different_sizes_are_an_error_that_names_the_frame) {
  write_png(folder_ / "05.png", make_image(40, 40, {1, 2, 3}));
  EXPECT_EQ(testing::error_of([&] { load({.frames = 4, .sampling_rate = 5, .image_size = 16}); }),
            folder_.string() + ": frame 5 is 40x40, the first is 32x24");
}

}  // namespace
}  // namespace grimace
