// Lists and clips that cannot be used: one line that names the place, exit code 2, no checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

class BadListTest : public ::testing::Test {
 protected:
  fs::path write_list(const std::string& text) {
    const fs::path list = scratch_ / "list.txt";
    write_bytes(list, text);
    return list;
  }

  // Eight lines "<file> 0".
  fs::path list_of(const std::string& file) {
    std::string text;
    for (int i = 0; i < 8; ++i) text += file + " 0\n";
    return write_list(text);
  }

  // The faces, and `bad` that do not exist, as the lines 2, 4, ...
  fs::path list_with_missing(int bad) {
    std::string text = "file\n";
    int missing = 0;
    for (const auto& entry : fs::directory_iterator(faces_list().parent_path())) {
      if (entry.path().extension() != ".mp4") continue;
      if (missing < bad) text += cat("gone", missing++, ".mp4\n");
      text += entry.path().string() + "\n";
    }
    return write_list(text);
  }

  Words pretrain_on(const fs::path& list, const Words& more = {}) {
    return Words{"pretrain", "--config", tiny_recipe_file(), "--data", list, "--out", run_} + more;
  }

  void expect_list_refused(const fs::path& list, const std::string& place) {
    const Outcome outcome = run_grimace(pretrain_on(list));
    expect_refused(outcome, place);
    EXPECT_EQ(count(outcome.err, "\n"), 1u) << outcome.err;
    EXPECT_FALSE(fs::exists(run_)) << "made before the list was read";
  }

  // A list whose clips all are `file`: refused by the training, and every line of it named by
  // data check and by a dry run.
  void expect_clip_refused(const std::string& file, const std::string& reason) {
    const fs::path list = list_of(file);
    const Outcome training = run_grimace(pretrain_on(list));
    expect_refused(training, "list.txt:1: 1 of 8 clips are unreadable, more than --max-bad 0.05");
    EXPECT_THAT(training.err, AllOf(HasSubstr(file), HasSubstr(reason)));
    EXPECT_FALSE(fs::exists(run_)) << "a refused run left its folder";
    for (const Words& command :
         {Words{"data", "check", list}, pretrain_on(list, {"--dry-run", "2"})}) {
      const Outcome outcome = run_grimace(command);
      EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
      EXPECT_THAT(outcome.out, HasSubstr(reason));
      EXPECT_EQ(count(outcome.out, file), 8u) << outcome.out;
      for (int line = 1; line <= 8; ++line)
        EXPECT_THAT(outcome.out, HasSubstr(cat("list.txt:", line, ": ")));
    }
  }

  ScratchDir scratch_;
  fs::path run_ = scratch_ / "run";
};

TEST_F(BadListTest, a_missing_or_empty_list_is_refused) {
  expect_list_refused(scratch_ / "gone.csv", "gone.csv: the list file does not exist");
  expect_list_refused(scratch_.path(), "the list is not a regular file");
  expect_list_refused(write_list(""), "list.txt: the list names no clips");
  expect_list_refused(write_list("# nothing but a comment\n\n"),
                      "list.txt: the list names no clips");
  expect_list_refused(write_list("file,label\n"), "list.txt: the list names no clips");
}

TEST_F(BadListTest, a_wrong_separator_is_refused_with_the_forms_that_are_known) {
  for (const char* line : {"a.mp4;3", "a.mp4\t3", "a.mp4,3", "file;label", "a.mp4"})
    expect_list_refused(write_list(std::string(line) + "\n"),
                        "list.txt:1: expected '<path> <integer>' with a single space, or a CSV");
  expect_list_refused(write_list("a.mp4 0\nb.mp4,1\n"), "list.txt:2: ");
}

TEST_F(BadListTest, a_label_that_is_no_integer_is_refused_in_the_space_separated_form) {
  expect_list_refused(
      write_list("a.mp4 0\nb.mp4 happy\n"),
      "list.txt:2: the label after the first space must be an integer; got 'happy'");
  expect_list_refused(write_list("a.mp4  3\n"), "list.txt:1: the label after the first space");
  expect_list_refused(write_list("a.mp4 3.0\n"), "got '3.0'");
}

TEST_F(BadListTest, a_csv_line_that_does_not_fit_its_header_is_refused) {
  expect_list_refused(write_list("file,label\na.mp4,happy,7\n"),
                      "list.txt:2: 3 fields where the header has 2");
  expect_list_refused(write_list("file,label\n,happy\n"), "list.txt:2: the path is empty");
}

TEST_F(BadListTest, clips_that_are_missing_are_refused) {
  expect_clip_refused("gone.mp4", "no such file or folder");
}

TEST_F(BadListTest, truncated_clips_are_refused) {
  write_clip(scratch_ / "whole.mp4", 40);
  const std::string bytes = file_text(scratch_ / "whole.mp4");
  write_bytes(scratch_ / "cut.mp4", bytes.substr(0, bytes.size() / 2));
  expect_clip_refused("cut.mp4", "not a readable video");
}

TEST_F(BadListTest, clips_without_frames_are_refused) {
  write_clip(scratch_ / "none.mp4", 0);
  expect_clip_refused("none.mp4", "");
  write_bytes(scratch_ / "empty.mp4", std::string());
  expect_clip_refused("empty.mp4", "not a readable video");
  fs::create_directory(scratch_ / "bare");
  expect_clip_refused("bare", "holds no .jpg or .png frames");
}

TEST_F(BadListTest, clips_of_one_pixel_are_refused) {
  constexpr uint8_t kDot[] = {137, 80,  78,  71,  13,  10, 26, 10, 0,  0,   0,  13,  73,  72,
                              68,  82,  0,   0,   0,   1,  0,  0,  0,  1,   8,  2,   0,   0,
                              0,   144, 119, 83,  222, 0,  0,  0,  12, 73,  68, 65,  84,  120,
                              156, 99,  96,  100, 98,  6,  0,  0,  14, 0,   7,  215, 111, 228,
                              120, 0,   0,   0,   0,   73, 69, 78, 68, 174, 66, 96,  130};
  fs::create_directory(scratch_ / "dots");
  for (const char* frame : {"1.png", "2.png"}) write_bytes(scratch_ / "dots" / frame, kDot);
  expect_clip_refused("dots", "frames of 1x1 are too small");
}

TEST_F(BadListTest, clips_of_sound_alone_are_refused) {
  // One second of silence: 8000 8-bit samples.
  std::string wav(
      "RIFF\x64\x1f\0\0WAVEfmt "
      "\x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\x40\x1f\0\0",
      44);
  write_bytes(scratch_ / "sound.mp4", wav.append(8000, '\x80'));
  expect_clip_refused("sound.mp4", "no video stream");
}

TEST_F(BadListTest, some_bad_clips_are_each_reported_once_by_name_and_replaced) {
  const Words command = pretrain_on(list_with_missing(3), {"--max-bad", "0.2", "--steps", "9"});
  const Outcome outcome = run_grimace(command);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(count(outcome.err, cat("gone", i, ".mp4: no such file or folder\n")), 1u);
  EXPECT_EQ(count(outcome.err, "warning: "), 3u) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("list.txt:2: this clip is replaced by another: "));
  for (const auto& line : metrics(run_)) EXPECT_TRUE(line.at("loss").is_number());
}

TEST_F(BadListTest, bad_clips_are_replaced_by_the_same_ones_whatever_the_number_of_workers) {
  const fs::path list = list_with_missing(3);
  std::vector<std::vector<nlohmann::json>> runs;
  for (const char* workers : {"0", "3"}) {
    run_ = scratch_ / workers;
    ASSERT_EQ(run_grimace(pretrain_on(list, {"--max-bad", "0.2", "--workers", workers})).exit_code,
              0);
    runs.push_back(metrics(run_));
  }
  expect_same_losses(runs[0], runs[1]);
}

TEST_F(BadListTest, more_bad_clips_than_max_bad_end_the_run) {
  const Outcome outcome = run_grimace(pretrain_on(list_with_missing(4), {"--max-bad", "0.1"}));
  expect_refused(outcome, "3 of 28 clips are unreadable, more than --max-bad 0.1 allows");
  EXPECT_THAT(names_in(run_), Not(Contains(HasSubstr("checkpoint"))));
}

TEST_F(BadListTest, data_check_names_the_bad_clips_alone_and_passes_a_good_list) {
  const Outcome bad = run_grimace({"data", "check", list_with_missing(2)});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_EQ(count(bad.out, ": no such file or folder\n"), 2u) << bad.out;
  EXPECT_THAT(bad.out, HasSubstr("26 clips, 2 unreadable"));
  const Outcome good = run_grimace({"data", "check", faces_list()});
  EXPECT_EQ(good.exit_code, 0) << good.out;
  EXPECT_THAT(good.out, HasSubstr("24 clips, 0 unreadable"));
}

TEST_F(BadListTest, names_of_clips_cannot_steer_the_terminal) {
  const fs::path list = list_of("gone\x1b[2J.mp4");
  for (const Words& command :
       {Words{"data", "check", list}, pretrain_on(list, {"--dry-run", "1"})}) {
    const Outcome outcome = run_grimace(command);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("gone?[2J.mp4"), Not(HasSubstr("\x1b"))));
  }
}

}  // namespace
}  // namespace grimace::testing
