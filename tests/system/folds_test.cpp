// From a data set's folder to the mean of its folds: lists, training and tests of every fold, and
// going on after an interruption.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "data/list_file.h"
#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FoldsSystemTest : public ::testing::Test {
 protected:
  // The 24 synthetic faces under the names of RAVDESS: a clip of each actor, in turn angry and
  // calm.
  FoldsSystemTest() {
    const ListFile faces = read_list(faces_list());
    for (int actor = 1; actor <= 24; ++actor) {
      const std::string two = cat(actor < 10 ? "0" : "", actor);
      fs::create_directories(root_ / ("Actor_" + two));
      fs::create_symlink(faces.entries[static_cast<size_t>(actor - 1)].path,
                         root_ / ("Actor_" + two) /
                             cat("02-01-0", actor % 2 == 0 ? 2 : 5, "-01-01-01-", two, ".mp4"));
    }
  }

  Outcome prepare(const Words& more = {}) {
    return run_grimace(Words{"data", "prepare", "ravdess", root_, "--out", lists_} + more);
  }
  Words finetune(const Words& more) {
    return Words{"finetune",    "--config", tiny_recipe_file(), "--data", lists_,
                 "--out",       run_,       "--steps",          "4",      "--set",
                 "data.folds=6"} +
           more;
  }
  Outcome finetune_well(const Words& more) {
    Outcome outcome = run_grimace(finetune(more));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome;
  }
  fs::path fold(int k) { return run_ / cat("fold-", k); }

  ScratchDir scratch_;
  const fs::path root_ = scratch_ / "RAVDESS", lists_ = scratch_ / "lists", run_ = scratch_ / "run";
};

TEST_F(FoldsSystemTest, lists_are_written_with_their_numbers_told) {
  fs::create_directory(root_ / "Actor_03/02-01-08-01-01-01-03");
  const Outcome outcome = prepare();
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("calm          12        192\n"));
  EXPECT_THAT(outcome.out, HasSubstr("6        20     4            1,200             240\n"));
  EXPECT_THAT(outcome.out, HasSubstr("left out: 1 without .jpg or .png frames, such as " +
                                     (root_ / "Actor_03/02-01-08-01-01-01-03").string()));
  EXPECT_THAT(outcome.err, HasSubstr("RAVDESS was published with other numbers of clips"));
  EXPECT_THAT(names_in(lists_),
              ElementsAre("fold-1", "fold-2", "fold-3", "fold-4", "fold-5", "fold-6"));
  EXPECT_EQ(file_text(lists_ / "fold-6/test.csv"),
            cat("path,label\n", (root_ / "Actor_21/02-01-05-01-01-01-21.mp4").string(), ",angry\n",
                (root_ / "Actor_22/02-01-02-01-01-01-22.mp4").string(), ",calm\n",
                (root_ / "Actor_23/02-01-05-01-01-01-23.mp4").string(), ",angry\n",
                (root_ / "Actor_24/02-01-02-01-01-01-24.mp4").string(), ",calm\n"));
}

TEST_F(FoldsSystemTest, lists_that_cannot_be_made_leave_nothing) {
  expect_refused(prepare({"--pattern", "Actor_*/{subject}"}), "has no {label}; RAVDESS needs");
  fs::remove_all(root_ / "Actor_24");
  fs::remove_all(root_ / "Actor_23");
  fs::remove_all(root_ / "Actor_22");
  fs::remove_all(root_ / "Actor_21");
  expect_refused(prepare(), "fold 6 has no clips to test on; 20 clips of RAVDESS were found");
  EXPECT_THAT(names_in(scratch_.path()), ElementsAre("RAVDESS"));
  fs::create_directory(lists_);
  std::ofstream(lists_ / "mine") << "x";
  expect_refused(prepare(), "is there already; choose another folder, or remove it");
  EXPECT_THAT(names_in(lists_), ElementsAre("mine"));
}

TEST_F(FoldsSystemTest, a_folder_with_the_name_of_unfinished_lists_is_left_alone) {
  for (const char* name : {"lists.partial", "lists.1-0.partial"}) {
    fs::create_directory(scratch_ / name);
    std::ofstream(scratch_ / name / "mine") << "x";
  }
  const Outcome outcome = prepare();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(names_in(scratch_.path()),
              ElementsAre("RAVDESS", "lists", "lists.1-0.partial", "lists.partial"));
  for (const char* name : {"lists.partial", "lists.1-0.partial"})
    EXPECT_THAT(names_in(scratch_ / name), ElementsAre("mine"));
}

TEST_F(FoldsSystemTest, every_fold_is_trained_and_tested_and_their_mean_told) {
  prepare();
  const Outcome outcome = finetune_well({"--folds", "all"});
  EXPECT_THAT(outcome.out, HasSubstr("fold    clips  UAR %"));
  EXPECT_THAT(outcome.out, HasSubstr("\n6           4  "));
  EXPECT_THAT(outcome.out, HasSubstr("\nmean       24  "));
  EXPECT_THAT(outcome.out, HasSubstr("\npooled     24  "));
  for (int k = 1; k <= 6; ++k)
    EXPECT_THAT(names_in(fold(k)),
                ElementsAre("checkpoint-4.safetensors", "confusion.png", "metrics.json",
                            "metrics.jsonl", "pred.csv", "views.txt"));
  EXPECT_EQ(nlohmann::json::parse(file_text(run_ / "folds.json"))["folds"].size(), 6u);

  // The same again neither trains nor tests.
  const Outcome again = finetune_well({"--folds", "all"});
  EXPECT_EQ(again.out, outcome.out);
  EXPECT_THAT(again.err, ::testing::Not(HasSubstr("wrote pred.csv")));

  // Other views are another test.
  const Outcome fewer = finetune_well({"--folds", "all", "--test-num-segment", "1"});
  EXPECT_THAT(fewer.err, HasSubstr("wrote pred.csv"));
  EXPECT_THAT(fewer.err, ::testing::Not(HasSubstr("done:")));
  finetune_well({"--folds", "all"});

  const Outcome evaluated =
      run_grimace({"evaluate", "--data", lists_, "--model", run_, "--folds", "all"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_THAT(evaluated.out, HasSubstr(outcome.out));
}

TEST_F(FoldsSystemTest, one_fold_is_a_part_of_the_whole) {
  prepare();
  finetune_well({"--fold", "3"});
  EXPECT_THAT(names_in(run_), ElementsAre("fold-3"));
  const auto time = fs::last_write_time(checkpoint(fold(3), 4));
  const Outcome outcome = finetune_well({"--folds", "2,3"});
  EXPECT_EQ(fs::last_write_time(checkpoint(fold(3), 4)), time);
  EXPECT_THAT(outcome.out, HasSubstr("\nmean        8  "));
}

TEST_F(FoldsSystemTest, an_interrupted_run_goes_on_where_it_stopped) {
  prepare();
  const Words long_run = finetune({"--folds", "1,2", "--set", "optim.steps=60", "--set",
                                   "run.save_every_steps=5", "--set", "run.keep_last=100"});
  Program program(long_run);
  // In the middle of the second fold.
  for (int i = 0; i < 3000 && !fs::exists(checkpoint(fold(2), 5)); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  program.send(SIGINT);
  EXPECT_EQ(program.wait().exit_code, 130);
  EXPECT_FALSE(fs::exists(checkpoint(fold(2), 60)));
  EXPECT_FALSE(fs::exists(run_ / "folds.json"));
  const auto tested = fs::last_write_time(fold(1) / "metrics.json");
  const Outcome outcome = run_grimace(long_run);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("continuing from " + fold(2).string()));
  EXPECT_EQ(fs::last_write_time(fold(1) / "metrics.json"), tested);
  EXPECT_TRUE(fs::exists(run_ / "folds.json"));
}

TEST_F(FoldsSystemTest, a_test_is_done_again_when_the_model_or_the_list_is_newer) {
  prepare();
  finetune_well({"--fold", "1"});
  const auto old = fs::last_write_time(lists_ / "fold-1/test.csv");
  for (const fs::path& file : {lists_ / "fold-1/test.csv", checkpoint(fold(1), 4)}) {
    fs::last_write_time(file, fs::file_time_type::clock::now() + std::chrono::seconds(5));
    EXPECT_THAT(finetune_well({"--fold", "1"}).err, HasSubstr("wrote pred.csv"));
    fs::last_write_time(file, old);
    EXPECT_THAT(finetune_well({"--fold", "1"}).err, ::testing::Not(HasSubstr("wrote pred.csv")));
  }
}

TEST_F(FoldsSystemTest, a_test_is_done_again_when_its_figures_are_not_of_this_model) {
  prepare();
  finetune_well({"--fold", "1"});
  const fs::path file = fold(1) / "metrics.json";
  const auto good = nlohmann::json::parse(file_text(file));
  for (const char* confusion :
       {"[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "[[1, -2], [3, 4]]", "[[4]]"}) {
    auto damaged = good;
    damaged["confusion"] = nlohmann::json::parse(confusion);
    write_bytes(file, damaged.dump());
    EXPECT_THAT(finetune_well({"--fold", "1"}).err, HasSubstr("wrote pred.csv")) << confusion;
    EXPECT_EQ(nlohmann::json::parse(file_text(file)), good);
  }
}

TEST_F(FoldsSystemTest, folds_that_cannot_be_used_are_refused_before_any_is_trained) {
  prepare();
  const auto refused = [&](const Words& more, const std::string& message) {
    expect_refused(run_grimace(finetune(more)), message);
    EXPECT_FALSE(fs::exists(run_)) << message;
  };
  refused({"--fold", "7"}, lists_.string() + ": there is no fold 7; there are 1, 2, 3, 4, 5, 6");
  refused({"--folds", "1,9"}, "there is no fold 9; there are 1, 2, 3, 4, 5, 6");
  refused({"--folds", "all", "--set", "data.folds=5"},
          "it has the folds 1, 2, 3, 4, 5, 6; data.folds says there are 5");
  refused({},
          lists_.string() +
              ": is a folder without train.csv; train on its folds with --fold K or --folds all");
  refused({"--fold", "1", "--folds", "all"}, "--fold 1 and --folds all: give one of the two");
  refused({"--folds", "all", "--resume", run_}, "is one run; --folds continues that of each fold");
  refused({"--fold", "1", "--set", "data.list=" + faces_list().string()},
          "folds are in a folder of lists");
  std::ofstream(lists_ / "fold-6/test.csv") << "path,label\nx.mp4,joy\n";
  refused({"--folds", "all", "--classes", "calm,angry"},
          "fold-6/test.csv:2: the label 'joy' is none of the 2 classes calm, angry");
  refused({"--folds", "all"}, "fold-6/test.csv: its classes are not those of the lists before it");
}

TEST_F(FoldsSystemTest, a_dry_run_of_folds_writes_nothing) {
  prepare();
  EXPECT_THAT(finetune_well({"--folds", "1,2", "--dry-run", "1"}).out,
              HasSubstr("dry run: 1 steps"));
  EXPECT_FALSE(fs::exists(run_));
}

}  // namespace
}  // namespace grimace::testing
