// Features of clips from both kinds of model, and a page of the run that made them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "runtime/safetensors.h"
#include "tests/system/tiny_run.h"

namespace grimace::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Embed, takes_both_kinds_of_model_and_says_which_feature_it_is) {
  const ScratchDir dir;
  pretrain_well(dir / "run");
  const Outcome encoder =
      run_grimace({"embed", faces_list(), "--model", dir / "run", "--out", dir / "e.npy", "--csv",
                   dir / "e.csv", "--picture", dir / "e.png"});
  EXPECT_EQ(encoder.exit_code, 0) << encoder.err;
  EXPECT_THAT(encoder.out, HasSubstr("24 clips, 32 features each: the mean of the pre-trained"));
  EXPECT_THAT(file_text(dir / "e.npy"), HasSubstr("'shape': (24, 32)"));
  EXPECT_THAT(file_text(dir / "e.png"), StartsWith("\x89PNG"));
  const std::string csv = file_text(dir / "e.csv");
  EXPECT_EQ(std::ranges::count(csv, '\n'), 25);
  EXPECT_THAT(csv, HasSubstr(",happy,"));

  const Outcome tuned =
      run_grimace({"finetune", "--init", dir / "run", "--data", faces_list(), "--out", dir / "ft",
                   "--steps", "2", "--batch-size", "8", "--set", "run.threads=1"});
  ASSERT_EQ(tuned.exit_code, 0) << tuned.err;
  const Outcome feature =
      run_grimace({"embed", faces_list(), "--model", dir / "ft", "--out", dir / "f.npy"});
  EXPECT_EQ(feature.exit_code, 0) << feature.err;
  EXPECT_THAT(feature.out, HasSubstr("the classifier's feature before its head"));
  EXPECT_NE(file_text(dir / "e.npy"), file_text(dir / "f.npy"));

  const Outcome page =
      run_grimace({"report", dir / "run", dir / "ft", dir / "e.png", "--out", dir / "page.html"});
  EXPECT_EQ(page.exit_code, 0) << page.err;
  EXPECT_THAT(page.err, HasSubstr("2 runs, 0 evaluations, 1 pictures"));
}

TEST(Embed, leaves_out_what_it_cannot_read_and_its_exit_code_says_so) {
  const ScratchDir dir;
  pretrain_well(dir / "run");
  std::filesystem::path clip;
  for (const auto& entry : std::filesystem::directory_iterator(faces_list().parent_path()))
    if (entry.path().extension() == ".mp4") clip = entry.path();
  std::ofstream(dir / "bad.mp4") << "prose";
  const Outcome outcome =
      run_grimace({"embed", dir / "bad.mp4", clip, "--model", dir / "run", "--out", dir / "e.npy"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("bad.mp4"));
  EXPECT_THAT(file_text(dir / "e.npy"), HasSubstr("'shape': (1, 32)"));
  expect_refused(
      run_grimace({"embed", dir / "bad.mp4", "--model", dir / "run", "--out", dir / "x.npy"}),
      "bad.mp4");
  EXPECT_FALSE(std::filesystem::exists(dir / "x.npy"));
  expect_refused(
      run_grimace({"embed", clip, "--model", "mae-dfer-classifier", "--out", dir / "x.npy"}),
      "embed needs trained weights");
}

TEST(Embed, numbers_that_are_none_are_not_written) {
  const ScratchDir dir;
  pretrain_well(dir / "run");
  const SafetensorsFile good(checkpoint(dir / "run", 12));
  std::vector<Tensor> tensors;
  for (const std::string& name : good.names()) tensors.push_back(good.tensor(name));
  std::vector<NamedView> views;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].type().dtype == DType::f32)
      std::ranges::fill(tensors[i].as<float>(), std::numeric_limits<float>::quiet_NaN());
    views.push_back({good.names()[i], tensors[i].view()});
  }
  save_safetensors(dir / "run" / "checkpoint-13.safetensors", views, good.all_metadata());
  const Outcome outcome =
      run_grimace({"embed", faces_list(), "--model", dir / "run" / "checkpoint-13.safetensors",
                   "--out", dir / "e.npy"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(".mp4: the model's feature is not finite"));
  EXPECT_FALSE(std::filesystem::exists(dir / "e.npy"));
}

}  // namespace
}  // namespace grimace::testing
