// What users get wrong about labelled clips, and the one line each is answered with, word for word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "data/image.h"
#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

using ::testing::HasSubstr;

class BadLabelsTest : public ::testing::Test {
 protected:
  fs::path write_list(const std::string& text) {
    write_bytes(scratch_ / "list.csv", text);
    return scratch_ / "list.csv";
  }
  // Rows of faces; row `i` has another clip or label.
  fs::path faces_with(int i, const std::string& path, const std::string& label) {
    std::ifstream in(faces_list());
    std::string text = "file,label\n", line;
    std::getline(in, line);
    for (int row = 0; std::getline(in, line); ++row) {
      const std::string face =
          (faces_list().parent_path() / line.substr(0, line.find(','))).string();
      const std::string its = line.substr(line.rfind(',') + 1);
      text += row == i ? path + "," + label + "\n" : face + "," + its + "\n";
    }
    return write_list(text);
  }
  Outcome finetune(const fs::path& list, const Words& more = {}) {
    return run_grimace(
        Words{"finetune", "--config", tiny_recipe_file(), "--data", list, "--out", run_} + more);
  }
  // The log without the folder of the test.
  std::string told(const Outcome& outcome) {
    std::string text = outcome.err;
    for (size_t at; (at = text.find(scratch_.path().string())) != std::string::npos;)
      text.replace(at, scratch_.path().string().size(), "DIR");
    return text;
  }
  // The error, which is the last line; nothing may be left.
  std::string refusal(const Outcome& outcome) {
    EXPECT_FALSE(fs::exists(run_));
    return error(outcome);
  }
  // The same of a run that was under way.
  std::string error(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    const std::string text = told(outcome);
    const std::string start = "grimace: error: ";
    const size_t at = text.rfind(start);
    return at == std::string::npos ? text : text.substr(at + start.size());
  }

  ScratchDir scratch_;
  fs::path run_ = scratch_ / "run";
};

TEST_F(BadLabelsTest, a_label_out_of_range) {
  EXPECT_EQ(refusal(finetune(write_list("a 0\nb 7\n"), {"--nb-classes", "7"})),
            "DIR/list.csv:2: label 7 is out of range; the classes are 0..6\n");
  EXPECT_EQ(refusal(finetune(write_list("a 0\nb -1\n"))),
            "DIR/list.csv:2: label -1 is out of range; the classes are 0..999\n");
  EXPECT_EQ(refusal(finetune(write_list("file,label\na,sad\nb,joy\n"), {"--classes", "sad,happy"})),
            "DIR/list.csv:3: the label 'joy' is none of the 2 classes sad, happy\n");
}

TEST_F(BadLabelsTest, rows_without_a_label) {
  const Outcome outcome = finetune(faces_with(4, "gone.mp4", ""), {"--dry-run", "1"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(told(outcome), HasSubstr("DIR/list.csv: 1 clips without a label are left out\n"));
  EXPECT_EQ(refusal(finetune(write_list("file,label\na,\nb,\n"))),
            "DIR/list.csv: none of its 2 clips has a label\n");
}

TEST_F(BadLabelsTest, a_class_list_of_another_length) {
  EXPECT_EQ(
      refusal(finetune(faces_with(-1, "", ""), {"--nb-classes", "6"})),
      "DIR/list.csv: its labels name 7 classes, but the model has 6; name them all: --classes "
      "a,b,...\n");
  EXPECT_EQ(refusal(finetune(faces_list(), {"--nb-classes", "3", "--classes", "a,b"})),
            "data.classes names 2 classes but model.classes = 3\n");
}

TEST_F(BadLabelsTest, more_classes_than_can_be_told) {
  std::string many = "file,label\n";
  for (int i = 0; i < 1001; ++i) many += cat("a,n", i, "\n");
  EXPECT_EQ(refusal(finetune(write_list(many))),
            "DIR/list.csv:1002: more than 1000 classes, as their confusion matrix is kept and "
            "printed whole\n");
}

TEST_F(BadLabelsTest, an_odd_batch_to_be_mixed) {
  EXPECT_EQ(
      refusal(finetune(faces_list(), {"--batch-size", "7"})),
      "mixup and cutmix mix pairs of clips: the batch of 7 must be even; an even --batch-size, or "
      "--mixup 0 --cutmix 0\n");
}

TEST_F(BadLabelsTest, an_unreadable_clip) {
  write_bytes(scratch_ / "cut.mp4", std::string("no video"));
  const fs::path list = faces_with(2, "cut.mp4", "sad");
  EXPECT_EQ(error(finetune(list, {"--max-bad", "0"})),
            "DIR/list.csv:4: 1 of 24 clips are unreadable, more than --max-bad 0 allows; the last: "
            "DIR/cut.mp4: not a readable video (Invalid data found when processing input); grimace "
            "data check DIR/list.csv names all\n");
  EXPECT_THAT(
      told(finetune(list)),
      HasSubstr("warning: DIR/list.csv:4: this clip is replaced by another: DIR/cut.mp4: not "
                "a readable video (Invalid data found when processing input)\n"));
}

TEST_F(BadLabelsTest, an_empty_folder) {
  fs::create_directory(scratch_ / "bare");
  EXPECT_EQ(error(finetune(faces_with(2, "bare", "sad"), {"--max-bad", "0"})),
            "DIR/list.csv:4: 1 of 24 clips are unreadable, more than --max-bad 0 allows; the last: "
            "DIR/bare: the folder holds no .jpg or .png frames; grimace data check DIR/list.csv "
            "names all\n");
}

// Spec 8.3 repeats it; a folder of one is rarely meant.
TEST_F(BadLabelsTest, a_folder_of_a_single_frame) {
  fs::create_directory(scratch_ / "one");
  write_png(scratch_ / "one/1.png", make_image(32, 32, {200, 120, 90}));
  const fs::path list = faces_with(2, "one", "sad");
  const std::string warning =
      "warning: DIR/list.csv:4: DIR/one: a single frame, which is repeated; it shows no motion\n";
  const Outcome training = finetune(list);
  EXPECT_EQ(training.exit_code, 0);
  EXPECT_THAT(told(training), HasSubstr(warning));
  const Outcome test = run_grimace({"evaluate", "--data", list, "--model", run_});
  EXPECT_EQ(test.exit_code, 0);
  EXPECT_EQ(told(test), warning);
}

TEST_F(BadLabelsTest, a_fold_that_does_not_exist) {
  for (const char* fold : {"fold-1", "fold-2"}) fs::create_directory(scratch_ / fold);
  EXPECT_EQ(refusal(finetune(scratch_.path(), {"--fold", "3"})),
            "DIR: there is no fold 3; there are 1, 2\n");
  EXPECT_EQ(refusal(run_grimace(
                {"evaluate", "--data", scratch_.path(), "--model", run_, "--folds", "1,4"})),
            "DIR: there is no fold 4; there are 1, 2\n");
}

TEST_F(BadLabelsTest, a_pre_training_checkpoint_to_evaluate) {
  const fs::path before = scratch_ / "before";
  pretrain_well(before);
  EXPECT_EQ(refusal(run_grimace({"evaluate", "--data", faces_list(), "--model", before})),
            "DIR/before/checkpoint-12.safetensors: holds a pre-training model, which knows no "
            "classes; make a classifier of it first: grimace finetune --init "
            "DIR/before/checkpoint-12.safetensors --data LIST --out DIR\n");
}

}  // namespace
}  // namespace grimace::testing
