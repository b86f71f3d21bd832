#include "data/pretrain_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class PretrainDatasetTest : public ::testing::Test {
 protected:
  // Twelve clips; clip i has the grey level 20 * i.
  static constexpr int kClips = 12;

  void SetUp() override {
    for (int i = 0; i < kClips; ++i) {
      const auto level = static_cast<uint8_t>(20 * i);
      testing::write_plain_clip(scratch_ / name(i), 14, {level, level, level});
    }
  }
  static std::string name(int i) { return cat("clip", i, ".mp4"); }

  // A list of clips first..last-1, and of files that are not there.
  ListFile list(int clips = kClips, int missing = 0) {
    std::string text;
    for (int i = 0; i < missing; ++i) text += cat("missing", i, ".mp4 0\n");
    for (int i = 0; i < clips; ++i) text += name(i) + " 0\n";
    testing::write_bytes(scratch_ / "list.csv", text);
    return read_list(scratch_ / "list.csv");
  }

  PretrainDataConfig config(int workers = 2) {
    return {.clip = {.frames = 4, .sampling_rate = 2, .image_size = 16},
            .mask = {.ratio = 0.5, .window = {1, 2, 4}, .grid = {2, 4, 4}},
            .batch_size = 5,
            .seed = 7,
            .loading = {.workers = workers,
                        .warn = [this](const std::string& text) { warnings_.push_back(text); }}};
  }

  // Which of the clips a row of the batch shows.
  static int clip_of(const Batch& batch, int row) {
    const Tensor& video = batch.at("video");
    const int64_t values = video.numel() / video.shape()[0];
    return video.as<uint8_t>()[static_cast<size_t>(row * values)] / 20;
  }

  static void expect_equal(const Batch& a, const Batch& b) {
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : a) {
      const Tensor& other = b.at(name);
      ASSERT_EQ(tensor.type(), other.type()) << name;
      EXPECT_TRUE(std::equal(tensor.data(), tensor.data() + tensor.bytes(), other.data())) << name;
    }
  }

  testing::ScratchDir scratch_;
  std::vector<std::string> warnings_;
};

TEST_F(PretrainDatasetTest, batches_have_the_promised_names_and_types) {
  PretrainDataset dataset(list(), config());
  EXPECT_EQ(dataset.batches_per_epoch(), 2) << "12 clips, batch 5: the last 2 are dropped";
  const Batch batch = dataset.next();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch.at("video").type(), (TensorType{DType::u8, {5, 3, 4, 16, 16}}));
  EXPECT_EQ(batch.at("mask").type(), (TensorType{DType::u8, {5, 32}}));
  const auto mask = batch.at("mask").as<uint8_t>();
  EXPECT_EQ(std::count(mask.begin(), mask.end(), 1), 5 * 16);
  EXPECT_FALSE(std::equal(mask.begin(), mask.begin() + 32, mask.begin() + 32))
      << "every clip has its own mask";
}

TEST_F(PretrainDatasetTest, an_epoch_shows_no_clip_twice_and_the_next_has_another_order) {
  PretrainDataset dataset(list(), config());
  std::vector<std::vector<int>> epochs;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<int> clips;
    for (int64_t b = 0; b < dataset.batches_per_epoch(); ++b) {
      const Batch batch = dataset.next();
      for (int row = 0; row < 5; ++row) clips.push_back(clip_of(batch, row));
    }
    EXPECT_EQ(std::set<int>(clips.begin(), clips.end()).size(), 10u);
    epochs.push_back(clips);
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
}

TEST_F(PretrainDatasetTest, the_number_of_workers_changes_no_bit) {
  const ListFile clips = list(11, 1);
  auto settings = config(0);
  settings.loading.max_bad = 0.5;
  PretrainDataset reference(clips, settings);
  std::vector<Batch> expected;
  for (int i = 0; i < 7; ++i) expected.push_back(reference.next());
  const auto expected_warnings = std::exchange(warnings_, {});
  EXPECT_EQ(expected_warnings.size(), 1u);
  for (const int workers : {1, 2, 4}) {
    settings.loading.workers = workers;
    PretrainDataset dataset(clips, settings);
    for (const Batch& batch : expected) expect_equal(dataset.next(), batch);
    EXPECT_EQ(std::exchange(warnings_, {}), expected_warnings);
  }
}

TEST_F(PretrainDatasetTest, a_seek_gives_what_an_uninterrupted_run_gives) {
  PretrainDataset whole(list(), config());
  std::vector<Batch> batches;
  for (int i = 0; i < 5; ++i) batches.push_back(whole.next());
  PretrainDataset resumed(list(), config());
  resumed.seek(1, 1);
  expect_equal(resumed.next(), batches[3]);
  expect_equal(resumed.next(), batches[4]);
  resumed.seek(0, 2);  // the end of an epoch is the start of the next
  expect_equal(resumed.next(), batches[2]);
}

TEST_F(PretrainDatasetTest, another_seed_gives_other_batches) {
  auto settings = config();
  PretrainDataset first(list(), settings);
  settings.seed = 8;
  PretrainDataset second(list(), settings);
  const Batch a = first.next(), b = second.next();
  EXPECT_FALSE(std::equal(a.at("mask").data(), a.at("mask").data() + a.at("mask").bytes(),
                          b.at("mask").data()));
}

TEST_F(PretrainDatasetTest, samples_of_one_video_are_neighbours_and_share_their_mask) {
  auto settings = config();
  settings.clip.num_samples = 3;
  PretrainDataset dataset(list(), settings);
  const Batch batch = dataset.next();
  ASSERT_EQ(batch.at("video").shape()[0], 15);
  const auto mask = batch.at("mask").as<uint8_t>();
  for (int video = 0; video < 5; ++video)
    for (int sample = 1; sample < 3; ++sample) {
      const int row = video * 3 + sample;
      EXPECT_EQ(clip_of(batch, row), clip_of(batch, video * 3));
      EXPECT_TRUE(std::equal(mask.begin() + row * 32, mask.begin() + row * 32 + 32,
                             mask.begin() + video * 3 * 32));
    }
}

TEST_F(PretrainDatasetTest, an_unreadable_clip_is_named_once_and_replaced) {
  auto settings = config();
  settings.loading.max_bad = 0.2;
  PretrainDataset dataset(list(9, 1), settings);
  for (int i = 0; i < 12; ++i) dataset.next();
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_EQ(warnings_[0],
            cat((scratch_ / "list.csv").string(), ":1: this clip is replaced by another: ",
                (scratch_ / "missing0.mp4").string(), ": no such file or folder"));
  EXPECT_EQ(dataset.bad_clips(), std::set<int64_t>{0});
}

TEST_F(PretrainDatasetTest, more_bad_clips_than_allowed_end_the_run) {
  for (const int workers : {0, 2}) {
    PretrainDataset dataset(list(11, 1), config(workers));
    EXPECT_THAT(testing::error_of([&] {
                  for (int i = 0; i < 12; ++i) dataset.next();
                }),
                AllOf(HasSubstr("list.csv:1: 1 of 12 clips are unreadable, more than --max-bad "
                                "0.05 allows; the last: "),
                      HasSubstr("missing0.mp4: no such file")));
  }
}

TEST_F(PretrainDatasetTest, a_list_of_bad_clips_alone_ends_the_run_whatever_is_allowed) {
  for (const double max_bad : {0.05, 1.0}) {
    auto settings = config();
    settings.loading.max_bad = max_bad;
    PretrainDataset dataset(list(0, 8), settings);
    EXPECT_THROW(dataset.next(), Error);
  }
}

TEST_F(PretrainDatasetTest, a_list_smaller_than_a_batch_is_refused) {
  EXPECT_EQ(testing::error_of([&] { PretrainDataset dataset(list(4), config()); }),
            cat((scratch_ / "list.csv").string(),
                ": 4 clips are fewer than a batch of 5; lower the batch size"));
}

TEST_F(PretrainDatasetTest, stops_cleanly_before_between_and_after_batches) {
  PretrainDataset whole(list(), config());
  const std::vector<Batch> batches{whole.next(), whole.next(), whole.next()};
  for (size_t taken = 0; taken <= batches.size(); ++taken) {
    PretrainDataset dataset(list(), config(4));
    for (size_t i = 0; i < taken; ++i) expect_equal(dataset.next(), batches[i]);
  }
}

TEST_F(PretrainDatasetTest, settings_out_of_range_are_refused) {
  auto settings = config();
  settings.loading.max_bad = 1.5;
  EXPECT_THROW(PretrainDataset(list(), settings), Error);
  settings = config();
  settings.batch_size = 0;
  EXPECT_THROW(PretrainDataset(list(), settings), Error);
  settings = config(-1);
  EXPECT_THROW(PretrainDataset(list(), settings), Error);
}

TEST_F(PretrainDatasetTest, the_face_clips_make_published_batches) {
  const auto shared = testing::shared_dir();
  if (!shared) GTEST_SKIP() << "no ../shared beside the checkout";
  PretrainDataset dataset(read_list(*shared / "data/faces/clips.csv"),
                          {.mask = {.region = {{2, 5, 10}}}, .batch_size = 4});
  EXPECT_EQ(dataset.batches_per_epoch(), 10);
  const Batch batch = dataset.next();
  EXPECT_EQ(batch.at("video").type(), (TensorType{DType::u8, {4, 3, 16, 160, 160}}));
  const auto mask = batch.at("mask").as<uint8_t>();
  EXPECT_EQ(std::count(mask.begin(), mask.end(), 1), 4 * 720);
  const auto video = batch.at("video").as<uint8_t>();
  const auto [low, high] = std::minmax_element(video.begin(), video.end());
  EXPECT_GT(*high - *low, 120) << "a real picture has dark and bright parts";
}

}  // namespace
}  // namespace grimace
