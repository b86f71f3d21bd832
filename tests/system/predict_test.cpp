// Expressions over time as a user asks for them, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "data/face_detector.h"
#include "data/frame_source.h"
#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

using ::testing::HasSubstr;

class PredictTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new ScratchDir;
    const Outcome outcome = run_grimace(
        {"finetune", "--config", tiny_recipe_file(), "--data", faces_list(), "--out", model()});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  static void TearDownTestSuite() { delete folder_; }
  static fs::path model() { return *folder_ / "run"; }

  // The synthetic clips are faces already.
  Outcome predict(const Words& files, const Words& more = {"--face", "none"}) {
    return run_grimace(Words{"predict"} + files + Words{"--model", model()} + more);
  }
  static fs::path clip() {
    std::ifstream in(faces_list());
    std::string line;
    std::getline(in, line);
    std::getline(in, line);
    return faces_list().parent_path() / line.substr(0, line.find(','));
  }
  static std::vector<std::string> lines_of(const fs::path& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  ScratchDir scratch_;
  static inline ScratchDir* folder_ = nullptr;
};

TEST_F(PredictTest, a_clip_becomes_rows_with_the_classes_of_the_run) {
  const fs::path csv = scratch_ / "rows.csv";
  const Outcome outcome = predict({clip()}, {"--face", "none", "--out", csv});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("person"));
  const auto lines = lines_of(csv);
  ASSERT_GE(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr("p_angry,p_disgust,p_fear,p_happy,p_neutral,p_sad,p_surprise"));
  EXPECT_THAT(lines[1], HasSubstr(",1,0.000,"));
}

TEST_F(PredictTest, the_size_of_a_batch_changes_no_row) {
  for (const char* batch : {"1", "3"})
    ASSERT_EQ(predict({clip()}, {"--face", "none", "--batch", batch, "--stride", "1", "--out",
                                 scratch_ / cat("rows", batch, ".jsonl")})
                  .exit_code,
              0);
  const auto ones = lines_of(scratch_ / "rows1.jsonl");
  const auto threes = lines_of(scratch_ / "rows3.jsonl");
  ASSERT_EQ(ones.size(), threes.size());
  EXPECT_GT(ones.size(), 3u);
  for (size_t i = 0; i < ones.size(); ++i) {
    const auto one = nlohmann::json::parse(ones[i]);
    const auto three = nlohmann::json::parse(threes[i]);
    EXPECT_EQ(one["start"], three["start"]);
    EXPECT_NEAR(one["probability"].get<double>(), three["probability"].get<double>(), 1e-6);
  }
}

TEST_F(PredictTest, the_video_has_the_frames_of_the_clip) {
  const fs::path drawn = scratch_ / "drawn.mp4";
  const Outcome outcome = predict({clip()}, {"--face", "none", "--video", drawn});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(open_frames(drawn)->frame_count(), open_frames(clip())->frame_count());
}

TEST_F(PredictTest, a_bad_file_is_named_and_the_others_go_on) {
  write_bytes(scratch_ / "noise.mp4", std::string(5000, 'x'));
  const fs::path csv = scratch_ / "rows.csv";
  const Outcome outcome =
      predict({scratch_ / "noise.mp4", "/no/such.mp4", clip()}, {"--face", "none", "--out", csv});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("noise.mp4: not a readable video"));
  EXPECT_THAT(outcome.err, HasSubstr("/no/such.mp4: no such file"));
  EXPECT_THAT(outcome.err, HasSubstr("2 of 3 inputs"));
  EXPECT_GE(lines_of(csv).size(), 2u);
}

TEST_F(PredictTest, bad_input_is_refused_with_one_line) {
  fs::create_directory(scratch_ / "empty");
  write_bytes(scratch_ / "nothing.mp4", std::string());
  expect_refused(predict({scratch_ / "empty"}), "holds no .jpg or .png frames");
  expect_refused(predict({scratch_ / "nothing.mp4"}), "nothing.mp4: not a readable video");
  expect_refused(predict({clip()}, {"--out", scratch_ / "rows.txt"}), ".csv or .jsonl");
  expect_refused(predict({clip()}, {"--face", "none", "--stride", "9"}), "stride");
  expect_refused(predict({clip()}, {"--classes", "a,b"}), "classes");
  expect_refused(predict({clip(), clip()}, {"--video", scratch_ / "x.mp4"}), "--video");
  expect_refused(run_grimace({"predict", clip(), "--model", "mae-dfer-classifier"}),
                 "predict needs trained weights");
  EXPECT_EQ(names_in(scratch_.path()), (std::vector<std::string>{"empty", "nothing.mp4"}));
}

TEST_F(PredictTest, one_picture_is_one_row) {
  write_png(scratch_ / "face.png", moving_bar(64, 48, 3));
  fs::create_directory(scratch_ / "frames");
  fs::copy(scratch_ / "face.png", scratch_ / "frames" / "1.png");
  for (const char* name : {"face.png", "frames"}) {
    const Outcome outcome = predict(
        {scratch_ / name}, {"--face", "none", "--out", scratch_ / "rows.csv", "--stride", "4"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_GE(lines_of(scratch_ / "rows.csv").size(), 2u) << name;
  }
}

TEST_F(PredictTest, a_picture_without_a_face_answers_no_face) {
  if (!has_face_detector()) GTEST_SKIP() << "built without dlib: no face is looked for";
  write_png(scratch_ / "wall.png", make_image(64, 48, {90, 90, 90}));
  const Outcome outcome = predict({scratch_ / "wall.png"}, {});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("no_face"));
}

TEST_F(PredictTest, ctrl_c_keeps_what_was_found) {
  write_clip(scratch_ / "long.mp4", 6000);
  const fs::path csv = scratch_ / "rows.csv";
  Program program(Words{"predict", scratch_ / "long.mp4", "--model", model(), "--face", "none",
                        "--stride", "1", "--out", csv});
  const fs::path partial = csv.string() + ".partial";
  std::error_code missing;
  for (int i = 0; i < 6000 && program.running(); ++i) {
    const auto size = fs::file_size(partial, missing);
    if (!missing && size > 2000) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  program.send(SIGINT);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("interrupted"));
  const auto lines = lines_of(csv);
  EXPECT_GT(lines.size(), 5u);
  EXPECT_LT(lines.size(), 1400u);  // a whole run has some 1500
  EXPECT_FALSE(fs::exists(partial));
}

TEST_F(PredictTest, ctrl_c_keeps_what_was_drawn_and_draws_no_more) {
  write_clip(scratch_ / "long.mp4", 6000);
  const fs::path csv = scratch_ / "rows.csv", drawn = scratch_ / "drawn.mp4";
  Program program(Words{"predict", scratch_ / "long.mp4", "--model", model(), "--face", "none",
                        "--stride", "1", "--out", csv, "--video", drawn});
  std::error_code missing;
  for (int i = 0; i < 6000 && program.running(); ++i) {
    const auto size = fs::file_size(csv.string() + ".partial", missing);
    if (!missing && size > 2000) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  program.send(SIGINT);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_GT(lines_of(csv).size(), 5u);
  const int64_t frames = open_frames(drawn)->frame_count();
  EXPECT_GT(frames, 5);
  EXPECT_LT(frames, 5600);  // of 6000
  EXPECT_EQ(names_in(scratch_.path()),
            (std::vector<std::string>{"drawn.mp4", "long.mp4", "rows.csv"}));
}

TEST_F(PredictTest, the_video_that_is_read_is_not_drawn_on) {
  const fs::path film = scratch_ / "film.mp4";
  fs::copy(clip(), film);
  const std::string bytes = file_text(film);
  for (const char* name : {"film.mp4", "./film.mp4"})
    expect_refused(predict({film}, {"--face", "none", "--video", scratch_ / name}),
                   "is the video that is read; choose another name");
  EXPECT_EQ(file_text(film), bytes);
}

TEST_F(PredictTest, nothing_on_standard_input_is_refused) {
  expect_refused(predict({"-"}), "standard input: not a readable video");
}

TEST_F(PredictTest, a_pattern_stands_for_its_files) {
  for (const char* name : {"a.png", "b.png"}) write_png(scratch_ / name, moving_bar(64, 48, 3));
  const Outcome outcome = predict({scratch_ / "*.png"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("a.png"));
  EXPECT_THAT(outcome.out, HasSubstr("b.png"));
}

}  // namespace
}  // namespace grimace::testing
