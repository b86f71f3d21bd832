// Which paths a pattern takes, what it reads from them, and how it goes through folders.
#include "data/clip_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ir/error.h"
#include "tests/testing.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "label name subject" of what a pattern reads from a path, or "no".
std::string read(const std::string& pattern, const std::string& path) {
  const auto fields = ClipPattern(pattern).match(path);
  if (!fields) return "no";
  return cat(fields->label, " ", fields->name, " ", fields->subject ? *fields->subject : -1);
}

std::string error_of(const std::string& pattern) {
  return testing::error_of([&] { ClipPattern{pattern}; });
}

TEST(ClipPattern, letters_are_themselves_and_stars_any_within_a_part) {
  EXPECT_EQ(read("a/b", "a/b"), "  -1");
  EXPECT_EQ(read("a/b", "a/c"), "no");
  EXPECT_EQ(read("a/*", "a/"), "  -1");
  EXPECT_EQ(read("a/*", "a/b/c"), "no");
  EXPECT_EQ(read("*/b", "b"), "no");
  EXPECT_EQ(read("a?c", "abc"), "  -1");
  EXPECT_EQ(read("a?c", "ac"), "no");
  EXPECT_EQ(read("*b*b", "abbab"), "  -1");
}

TEST(ClipPattern, fields_take_as_little_as_fits) {
  EXPECT_EQ(read("{subject}_*_{label}_*", "1001_DFA_ANG_XX"), "ANG  1001");
  EXPECT_EQ(read("{subject}_*_{label}_*", "1001_DFA_ANG_XX_aligned"), "ANG  1001");
  EXPECT_EQ(read("{label}-x", "a-b-x"), "a-b  -1");
  EXPECT_EQ(read("{label}{name}", "abc"), "a bc -1");
  EXPECT_EQ(read("{label}", ""), "no");
}

TEST(ClipPattern, a_subject_is_all_the_digits_that_stand_together) {
  EXPECT_EQ(read("*{subject}*", "s12_3"), "  12");
  EXPECT_EQ(read("s1{subject}", "s12"), "no");
  EXPECT_EQ(read("{subject}2", "12"), "no");
  EXPECT_EQ(read("{subject}", "0007"), "  7");
  EXPECT_EQ(read("{subject}", "1234567890123456789"), "no");
}

TEST(ClipPattern, parts_of_a_name_are_joined) {
  EXPECT_EQ(read("{name}/{name}/{name}", "War/Sad/0001"), " War/Sad/0001 -1");
}

TEST(ClipPattern, a_pattern_that_says_nothing_clear_is_refused) {
  EXPECT_EQ(error_of("{person}/x"),
            "the pattern '{person}/x': expected {label}, {name} or {subject}, got '{person}'");
  EXPECT_EQ(error_of("a{label"),
            "the pattern 'a{label': expected {label}, {name} or {subject}, got '{label'");
  EXPECT_EQ(error_of("a}"), "the pattern 'a}' has a } without its {");
  for (const char* pattern : {"/a", "a//b", "../a", "a/.", "a/"})
    EXPECT_EQ(error_of(pattern), cat("the pattern '", pattern,
                                     "' has an empty part, '.' or '..' between its slashes; it "
                                     "starts at the data set's folder"));
  EXPECT_EQ(error_of(""), "a pattern has 1 to 500 bytes; got 0");
  EXPECT_EQ(error_of(std::string(501, 'a')), "a pattern has 1 to 500 bytes; got 501");
}

// Every second letter a star: backtracking would never end.
TEST(ClipPattern, stars_without_end_are_matched_at_once) {
  std::string pattern, name;
  for (int i = 0; i < 120; ++i) pattern += "*a";
  EXPECT_EQ(read(pattern + "b", std::string(250, 'a')), "no");
  EXPECT_EQ(read(pattern, std::string(250, 'a')), "  -1");
}

class ClipPatternFind : public ::testing::Test {
 protected:
  void touch(const std::string& path) {
    fs::create_directories((scratch_ / path).parent_path());
    std::ofstream(scratch_ / path) << "x";
  }
  FoundClips find(const std::string& pattern) { return ClipPattern(pattern).find(scratch_.path()); }
  std::vector<std::string> names(const std::string& pattern) {
    std::vector<std::string> names;
    for (const FoundClip& clip : find(pattern).clips)
      names.push_back(fs::relative(clip.path, scratch_.path()));
    return names;
  }
  testing::ScratchDir scratch_;
};

TEST_F(ClipPatternFind, folders_of_frames_videos_and_pictures_are_clips) {
  touch("c/one/1.jpg");
  touch("c/three.MP4");
  touch("c/two.png");
  touch("c/notes.txt");
  touch("c/sound.wav");
  EXPECT_THAT(names("c/{label}"), ElementsAre("c/one", "c/three.MP4", "c/two.png"));
  EXPECT_EQ(find("c/{label}").clips[1].fields.label, "three");
  EXPECT_THAT(find("c/{label}").passed_over, IsEmpty());
}

TEST_F(ClipPatternFind, what_is_left_out_is_told_with_its_reason) {
  touch("c/a1/1.jpg");
  touch("c/b.mp4");
  touch("c/a2/notes.txt");
  touch("c/a3\n/1.jpg");
  touch("c/a4/deeper/1.jpg");
  const FoundClips found = find("c/a*");
  ASSERT_EQ(found.clips.size(), 1u);
  std::vector<std::string> reasons;
  for (const PassedOver& other : found.passed_over)
    reasons.push_back(other.path.filename().string() + ": " + other.reason);
  EXPECT_THAT(reasons,
              ElementsAre("a2: without .jpg or .png frames",
                          "a3\n: with a control character in the name", "b.mp4: of another form"));
}

TEST_F(ClipPatternFind, hidden_entries_and_absent_folders_hold_nothing) {
  touch("c/.hidden.mp4");
  EXPECT_THAT(names("c/*"), IsEmpty());
  EXPECT_THAT(names("d/*"), IsEmpty());
}

}  // namespace
}  // namespace grimace
