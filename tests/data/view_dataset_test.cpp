#include "data/view_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;

class ViewDatasetTest : public ::testing::Test {
 protected:
  // Folders of frames; the grey level of clip i is 50 * i + its frame.
  void SetUp() override {
    for (int i = 0; i < 3; ++i) {
      std::filesystem::create_directory(scratch_ / cat("clip", i));
      for (int t = 0; t < 20; ++t) {
        const auto level = static_cast<uint8_t>(50 * i + t);
        write_png(scratch_ / cat("clip", i, "/", t < 10 ? "0" : "", t, ".png"),
                  make_image(20, 18, {level, level, level}));
      }
    }
  }

  LabelledClips clips(const std::string& text = "clip0 2\nclip1 0\nclip2 1\n") {
    testing::write_bytes(scratch_ / "test.csv", text);
    return label_clips(read_list(scratch_ / "test.csv", {.append_mp4 = false}));
  }

  ViewConfig config(int workers = 2) {
    return {.clip = {.frames = 4, .sampling_rate = 2, .image_size = 16},
            .batch_size = 5,
            .loading = {.workers = workers,
                        .warn = [this](const std::string& text) { warnings_.push_back(text); }}};
  }

  // Grey levels of the frames of a row.
  static std::vector<int> levels(const ViewBatch& batch, int64_t row) {
    std::vector<int> result;
    for (int64_t t = 0; t < 4; ++t) {
      const float value = batch.video.as<float>()[static_cast<size_t>((row * 12 + t) * 256)];
      result.push_back(static_cast<int>(std::lround((value * 0.229 + 0.485) * 255)));
    }
    return result;
  }

  static bool zero(const ViewBatch& batch, int64_t row) {
    const auto values = batch.video.as<float>().subspan(static_cast<size_t>(row) * 12 * 256, 3072);
    return std::all_of(values.begin(), values.end(), [](float value) { return value == 0; });
  }

  static std::vector<ViewBatch> all(ViewDataset& dataset) {
    std::vector<ViewBatch> batches;
    while (auto batch = dataset.next()) batches.push_back(std::move(*batch));
    return batches;
  }

  testing::ScratchDir scratch_;
  std::vector<std::string> warnings_;
};

TEST_F(ViewDatasetTest, views_go_through_segments_then_crops_then_clips) {
  ViewDataset dataset(clips(), config());
  EXPECT_EQ(dataset.view_count(), 12);
  EXPECT_EQ(dataset.batch_count(), 3);
  int number = 0;
  const int32_t labels[] = {2, 0, 1};
  for (const ViewBatch& batch : all(dataset)) {
    ASSERT_EQ(batch.video.type(), (TensorType{DType::f32, {5, 3, 4, 16, 16}}));
    for (const ClipView& view : batch.views) {
      const int clip = number % 3, segment = number / 6, crop = number / 3 % 2;
      EXPECT_EQ(view, (ClipView{number % 5, clip, (scratch_ / cat("clip", clip)).string(),
                                labels[clip], segment, crop}));
      // Ten frames are sampled; the last window begins at the seventh.
      const int first = 50 * clip + (segment == 0 ? 0 : 12);
      EXPECT_EQ(levels(batch, view.row),
                (std::vector<int>{first, first + 2, first + 4, first + 6}));
      ++number;
    }
  }
  EXPECT_EQ(number, 12);
}

TEST_F(ViewDatasetTest, the_last_batch_is_filled_up_with_rows_that_no_view_names) {
  ViewDataset dataset(clips(), config());
  const auto batches = all(dataset);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[2].views.size(), 2u);
  EXPECT_EQ(batches[2].video.shape()[0], 5);
  for (int64_t row = 0; row < 5; ++row) EXPECT_EQ(zero(batches[2], row), row >= 2) << row;
  EXPECT_FALSE(dataset.next().has_value());
}

TEST_F(ViewDatasetTest, a_restart_gives_the_same_again_whatever_the_workers) {
  ViewDataset reference(clips(), config(0));
  const auto expected = all(reference);
  for (const int workers : {0, 1, 3}) {
    ViewDataset dataset(clips(), config(workers));
    dataset.next();
    for (int pass = 0; pass < 2; ++pass) {
      dataset.restart();
      const auto batches = all(dataset);
      ASSERT_EQ(batches.size(), expected.size());
      for (size_t i = 0; i < batches.size(); ++i) {
        EXPECT_EQ(batches[i].views, expected[i].views);
        EXPECT_TRUE(std::equal(batches[i].video.data(),
                               batches[i].video.data() + batches[i].video.bytes(),
                               expected[i].video.data()));
      }
    }
  }
}

TEST_F(ViewDatasetTest, validation_has_one_view_at_a_place_that_seed_and_clip_decide) {
  auto settings = config();
  settings.validation = true;
  std::set<std::vector<int>> choices;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    settings.seed = seed;
    ViewDataset dataset(clips(), settings);
    ASSERT_EQ(dataset.view_count(), 3);
    const auto batch = dataset.next();
    ASSERT_EQ(batch->views.size(), 3u);
    std::vector<int> starts;
    for (int64_t row = 0; row < 3; ++row) {
      const auto seen = levels(*batch, row);
      const int first = seen[0];
      starts.push_back(first - 50 * static_cast<int>(row));
      EXPECT_EQ(seen, (std::vector<int>{first, first + 2, first + 5, first + 7}));
    }
    choices.insert(starts);
    dataset.restart();
    EXPECT_EQ(levels(*dataset.next(), 1), levels(*batch, 1)) << "epochs can be compared";
  }
  EXPECT_GT(choices.size(), 20u) << "12 starts, but for each clip its own";
}

TEST_F(ViewDatasetTest, one_segment_and_one_crop_divide_by_nothing) {
  auto settings = config();
  settings.test_num_segment = settings.test_num_crop = 1;
  ViewDataset dataset(clips(), settings);
  EXPECT_EQ(dataset.view_count(), 3);
  EXPECT_EQ(levels(*dataset.next(), 0), (std::vector<int>{0, 2, 4, 6}));
}

TEST_F(ViewDatasetTest, an_unreadable_clip_is_named_once_and_left_out) {
  auto settings = config();
  settings.loading.max_bad = 0.4;
  ViewDataset dataset(clips("clip0 2\nmissing 0\nclip2 1\n"), settings);
  int views = 0;
  for (const ViewBatch& batch : all(dataset))
    for (const ClipView& view : batch.views) {
      EXPECT_NE(view.clip, 1);
      EXPECT_FALSE(zero(batch, view.row));
      EXPECT_EQ(levels(batch, view.row)[0] / 50, view.clip);
      ++views;
    }
  EXPECT_EQ(views, 8);
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_THAT(warnings_[0], HasSubstr("test.csv:2: this clip is left out: "));
  EXPECT_EQ(dataset.bad_clips(), std::set<int64_t>{1});
}

TEST_F(ViewDatasetTest, more_bad_clips_than_allowed_are_an_error) {
  ViewDataset dataset(clips("clip0 2\nmissing 0\nclip2 1\n"), config());
  EXPECT_THAT(testing::error_of([&] { all(dataset); }),
              HasSubstr("test.csv:2: 1 of 3 clips are unreadable"));
}

TEST_F(ViewDatasetTest, a_damaged_frame_leaves_nothing_behind) {
  testing::write_bytes(scratch_ / "clip1/04.png", std::string("not a picture"));
  auto settings = config();
  settings.loading.max_bad = 0.4;
  ViewDataset dataset(clips(), settings);
  const auto batches = all(dataset);
  EXPECT_TRUE(zero(batches[0], 1));
  EXPECT_THAT(warnings_.at(0), HasSubstr("04.png"));
}

TEST_F(ViewDatasetTest, values_out_of_range_are_refused) {
  auto settings = config();
  settings.test_num_segment = 0;
  EXPECT_THROW(ViewDataset(clips(), settings), Error);
  settings = config();
  settings.test_num_crop = 101;
  EXPECT_THROW(ViewDataset(clips(), settings), Error);
  settings = config();
  settings.batch_size = 0;
  EXPECT_THROW(ViewDataset(clips(), settings), Error);
}

}  // namespace
}  // namespace grimace
