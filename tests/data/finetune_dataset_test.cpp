#include "data/finetune_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;

constexpr int kClips = 12;
constexpr AugmentConfig kNoAugmentation{
    .aa = std::nullopt, .crop_area = {1, 1}, .crop_aspect = {1, 1}, .flip = 0, .reprob = 0};
constexpr MixupConfig kNoMixing{.mixup = 0, .cutmix = 0};

class FinetuneDatasetTest : public ::testing::Test {
 protected:
  // Folders of frames; clip i has the grey level 20 * i, brighter by 1 a frame, and label i % 3.
  void SetUp() override {
    for (int i = 0; i < kClips; ++i) {
      std::filesystem::create_directory(scratch_ / cat("clip", i));
      for (int t = 0; t < 10; ++t) {
        const auto level = static_cast<uint8_t>(20 * i + t);
        write_png(scratch_ / cat("clip", i, "/", t, ".png"),
                  make_image(20, 18, {level, level, level}));
      }
    }
  }

  LabelledClips clips(int count = kClips, int missing = 0) {
    std::string text;
    for (int i = 0; i < missing; ++i) text += cat("missing", i, " 1\n");
    for (int i = 0; i < count; ++i) text += cat("clip", i, " ", i % 3, "\n");
    testing::write_bytes(scratch_ / "train.csv", text);
    return label_clips(read_list(scratch_ / "train.csv", {.append_mp4 = false}));
  }

  FinetuneDataConfig config(int workers = 2) {
    return {.clip = {.frames = 4, .sampling_rate = 2, .image_size = 16},
            .batch_size = 4,
            .seed = 7,
            .loading = {.workers = workers,
                        .warn = [this](const std::string& text) { warnings_.push_back(text); }}};
  }
  FinetuneDataConfig plain_config(int workers = 2) {
    FinetuneDataConfig plain = config(workers);
    plain.augment = kNoAugmentation;
    plain.mixup = kNoMixing;
    return plain;
  }

  // The grey level of the first pixel of a row's frame.
  static int level(const Batch& batch, int64_t row, int64_t frame = 0) {
    const float value =
        batch.at("video").as<float>()[static_cast<size_t>((row * 12 + frame) * 256)];
    return static_cast<int>(std::lround((value * 0.229 + 0.485) * 255));
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

TEST_F(FinetuneDatasetTest, mixing_gives_soft_targets_that_sum_to_one) {
  FinetuneDataset dataset(clips(), config());
  EXPECT_EQ(dataset.batches_per_epoch(), 3);
  const Batch batch = dataset.next();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch.at("video").type(), (TensorType{DType::f32, {4, 3, 4, 16, 16}}));
  const Tensor& targets = batch.at("targets");
  ASSERT_EQ(targets.type(), (TensorType{DType::f32, {4, 3}}));
  for (size_t row = 0; row < 4; ++row) {
    const auto values = targets.as<float>().subspan(row * 3, 3);
    EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), 1, 1e-6);
    EXPECT_GE(*std::min_element(values.begin(), values.end()), 0.033f) << "smoothing";
  }
}

TEST_F(FinetuneDatasetTest, without_mixing_labels_and_frames_are_those_of_the_clips) {
  FinetuneDataset dataset(clips(), plain_config());
  std::map<int, int> seen;
  for (int64_t b = 0; b < dataset.batches_per_epoch(); ++b) {
    const Batch batch = dataset.next();
    ASSERT_EQ(batch.size(), 2u);
    ASSERT_EQ(batch.at("labels").type(), (TensorType{DType::i32, {4}}));
    for (int64_t row = 0; row < 4; ++row) {
      const int clip = level(batch, row) / 20;
      const int start = level(batch, row) % 20;
      ++seen[clip];
      EXPECT_EQ(batch.at("labels").as<int32_t>()[static_cast<size_t>(row)], clip % 3);
      EXPECT_LE(start, 1) << "10 frames, span 8: the window starts at frame 0 or 1";
      const int steps[] = {0, 2, 5, 7};  // spaced over 8 frames inclusive
      for (int64_t t = 0; t < 4; ++t) EXPECT_EQ(level(batch, row, t), 20 * clip + start + steps[t]);
    }
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(kClips)) << "every clip once in an epoch";
}

TEST_F(FinetuneDatasetTest, mixed_pixels_and_targets_tell_the_same_share) {
  auto settings = plain_config();
  settings.mixup = {.cutmix = 0, .smoothing = 0};
  FinetuneDataset mixed(clips(), settings);
  settings.mixup = kNoMixing;
  FinetuneDataset plain(clips(), settings);
  std::set<double> shares;
  for (int i = 0; i < 6; ++i) {
    const Batch a = mixed.next(), b = plain.next();
    for (size_t row = 0; row < 4; ++row) {
      const int32_t own = b.at("labels").as<int32_t>()[row];
      const int32_t other = b.at("labels").as<int32_t>()[3 - row];
      if (own == other) continue;
      const double lam = a.at("targets").as<float>()[row * 3 + static_cast<size_t>(own)];
      shares.insert(lam);
      const size_t values = 12 * 256;
      const auto video = b.at("video").as<float>();
      for (size_t k = 0; k < values; k += 100)
        EXPECT_NEAR(a.at("video").as<float>()[row * values + k],
                    lam * video[row * values + k] + (1 - lam) * video[(3 - row) * values + k],
                    1e-5);
    }
  }
  EXPECT_EQ(shares.size(), 6u) << "a share of its own for each batch";
}

TEST_F(FinetuneDatasetTest, the_number_of_workers_changes_no_bit) {
  auto settings = config(0);
  settings.loading.max_bad = 0.5;
  FinetuneDataset reference(clips(11, 1), settings);
  std::vector<Batch> expected;
  for (int i = 0; i < 8; ++i) expected.push_back(reference.next());
  const auto expected_warnings = std::exchange(warnings_, {});
  EXPECT_EQ(expected_warnings.size(), 1u);
  for (const int workers : {1, 2, 4}) {
    settings.loading.workers = workers;
    FinetuneDataset dataset(clips(11, 1), settings);
    for (const Batch& batch : expected) expect_equal(dataset.next(), batch);
    EXPECT_EQ(std::exchange(warnings_, {}), expected_warnings);
  }
}

TEST_F(FinetuneDatasetTest, a_seek_gives_what_an_uninterrupted_run_gives) {
  FinetuneDataset whole(clips(), config());
  std::vector<Batch> batches;
  for (int i = 0; i < 6; ++i) batches.push_back(whole.next());
  FinetuneDataset resumed(clips(), config());
  resumed.seek(1, 1);
  expect_equal(resumed.next(), batches[4]);
  expect_equal(resumed.next(), batches[5]);
  resumed.seek(0, 3);  // the end of an epoch is the start of the next
  expect_equal(resumed.next(), batches[3]);
}

TEST_F(FinetuneDatasetTest, another_seed_or_epoch_augments_and_mixes_differently) {
  auto settings = config();
  FinetuneDataset first(clips(4), settings);
  const Batch a = first.next(), b = first.next();
  settings.seed = 8;
  const Batch c = FinetuneDataset(clips(4), settings).next();
  for (const Batch* other : {&b, &c})
    for (const char* name : {"video", "targets"})
      EXPECT_FALSE(std::equal(a.at(name).data(), a.at(name).data() + a.at(name).bytes(),
                              other->at(name).data()))
          << name;
}

TEST_F(FinetuneDatasetTest, repeated_augmentation_changes_the_same_frames_in_other_ways) {
  auto settings = plain_config();
  settings.num_sample = 3;
  const Batch batch = FinetuneDataset(clips(), settings).next();
  ASSERT_EQ(batch.at("video").shape()[0], 12);
  for (int64_t clip = 0; clip < 4; ++clip)
    for (int64_t sample = 1; sample < 3; ++sample) {
      const int64_t row = clip * 3 + sample;
      for (int64_t t = 0; t < 4; ++t) EXPECT_EQ(level(batch, row, t), level(batch, clip * 3, t));
      EXPECT_EQ(batch.at("labels").as<int32_t>()[static_cast<size_t>(row)],
                batch.at("labels").as<int32_t>()[static_cast<size_t>(clip * 3)]);
    }
  settings.augment.reprob = 1;
  const Batch erased = FinetuneDataset(clips(), settings).next();
  const auto values = erased.at("video").as<float>();
  EXPECT_FALSE(std::equal(values.begin(), values.begin() + 12 * 256, values.begin() + 12 * 256));
}

TEST_F(FinetuneDatasetTest, an_unreadable_clip_is_named_once_and_replaced_with_label) {
  auto settings = plain_config();
  settings.loading.max_bad = 0.2;
  FinetuneDataset dataset(clips(9, 1), settings);
  for (int i = 0; i < 12; ++i) {
    const Batch batch = dataset.next();
    for (int64_t row = 0; row < 4; ++row)
      EXPECT_EQ(batch.at("labels").as<int32_t>()[static_cast<size_t>(row)],
                level(batch, row) / 20 % 3);
  }
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_EQ(warnings_[0],
            cat((scratch_ / "train.csv").string(), ":1: this clip is replaced by another: ",
                (scratch_ / "missing0").string(), ": no such file or folder"));
  EXPECT_EQ(dataset.bad_clips(), std::set<int64_t>{0});
}

TEST_F(FinetuneDatasetTest, more_bad_clips_than_allowed_end_the_run) {
  for (const int workers : {0, 2}) {
    FinetuneDataset dataset(clips(11, 1), config(workers));
    EXPECT_THAT(testing::error_of([&] {
                  for (int i = 0; i < 12; ++i) dataset.next();
                }),
                HasSubstr("train.csv:1: 1 of 12 clips are unreadable"));
  }
  auto settings = config();
  settings.loading.max_bad = 1;
  FinetuneDataset none(clips(0, 8), settings);
  EXPECT_THROW(none.next(), Error);
}

TEST_F(FinetuneDatasetTest, batches_that_cannot_be_are_refused) {
  const auto refusal = [&](const FinetuneDataConfig& settings, int count = kClips) {
    return testing::error_of([&] { FinetuneDataset dataset(clips(count), settings); });
  };
  auto settings = config();
  settings.batch_size = 5;
  EXPECT_THAT(refusal(settings), HasSubstr("the batch of 5 must be even"));
  settings.num_sample = 2;
  EXPECT_EQ(refusal(settings), "no error") << "ten rows";
  settings.num_sample = 0;
  EXPECT_THAT(refusal(settings), HasSubstr("num_sample must be in 1..64"));
  EXPECT_THAT(refusal(config(), 3), HasSubstr("3 labelled clips are fewer than a batch of 4"));
  settings = config();
  settings.clip.sampling_rate = 0;
  EXPECT_THAT(refusal(settings), HasSubstr("sampling rate"));
  settings = config(-1);
  EXPECT_THAT(refusal(settings), HasSubstr("workers"));
}

}  // namespace
}  // namespace grimace
