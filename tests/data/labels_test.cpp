#include "data/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LabelsTest : public ::testing::Test {
 protected:
  LabelledClips label(const std::string& text, std::vector<std::string> classes = {}) {
    testing::write_bytes(scratch_ / "list.csv", text);
    return label_clips(read_list(scratch_ / "list.csv", {.append_mp4 = false}), std::move(classes));
  }
  std::string refusal(const std::string& text, std::vector<std::string> classes = {}) {
    return testing::error_of([&] { label(text, std::move(classes)); });
  }
  testing::ScratchDir scratch_;
};

TEST_F(LabelsTest, numbers_make_the_classes_up_to_the_highest) {
  const LabelledClips clips = label("a 0\nb 3\nc 1\n");
  EXPECT_THAT(clips.labels, ElementsAre(0, 3, 1));
  EXPECT_THAT(clips.classes, ElementsAre("0", "1", "2", "3"));
  EXPECT_EQ(clips.unlabelled, 0);
  EXPECT_EQ(clips.list.entries[1].path, scratch_ / "b");
}

TEST_F(LabelsTest, names_make_sorted_classes_whatever_the_order_of_the_list) {
  const LabelledClips clips = label("file,label\na,sad\nb,anger\nc,sad\n");
  EXPECT_THAT(clips.classes, ElementsAre("anger", "sad"));
  EXPECT_THAT(clips.labels, ElementsAre(1, 0, 1));
}

TEST_F(LabelsTest, named_classes_keep_their_order_and_take_names_and_numbers) {
  const LabelledClips clips =
      label("file,label\na,sad\nb,0\nc,happy\nd,2\n", {"happy", "sad", "neutral"});
  EXPECT_THAT(clips.labels, ElementsAre(1, 0, 0, 2));
  EXPECT_THAT(label("a 2\n", {"2", "1", "0"}).labels, ElementsAre(0)) << "a name comes first";
}

TEST_F(LabelsTest, unlabelled_rows_are_counted_and_left_out) {
  const LabelledClips clips = label("file,label\na,\nb,sad\nc,\nd,sad\n");
  EXPECT_EQ(clips.unlabelled, 2);
  ASSERT_EQ(clips.list.entries.size(), 2u);
  EXPECT_EQ(clips.list.place(clips.list.entries[0]), (scratch_ / "list.csv").string() + ":3");
  EXPECT_THAT(refusal("file,label\na,\nb,\n"), HasSubstr("none of its 2 clips has a label"));
  EXPECT_THAT(refusal("file\na\n"), HasSubstr("none of its 1 clips has a label"));
}

TEST_F(LabelsTest, a_label_out_of_range_is_named_with_its_line) {
  EXPECT_THAT(refusal("a 0\nb 2\n", {"x", "y"}),
              HasSubstr("list.csv:2: label 2 is out of range; the classes are 0..1"));
  EXPECT_THAT(refusal("a -1\n"), HasSubstr("list.csv:1: label -1 is out of range"));
  EXPECT_THAT(refusal("a 2000000000\n"), HasSubstr("list.csv:1: label 2000000000 is out of range"));
  EXPECT_THAT(refusal("a 9223372036854775807\n"), HasSubstr("is out of range"));
}

TEST_F(LabelsTest, a_label_of_no_class_is_named_with_its_line_and_the_classes) {
  EXPECT_THAT(refusal("file,label\na,happy\nb,joy\n", {"happy", "sad"}),
              HasSubstr("list.csv:3: the label 'joy' is none of the 2 classes happy, sad"));
}

TEST_F(LabelsTest, numbers_mixed_with_names_are_refused) {
  EXPECT_THAT(refusal("file,label\na,sad\nb,3\n"),
              HasSubstr("list.csv:3: the label '3' is a number, those before are names"));
  EXPECT_THAT(refusal("file,label\na,3\nb,sad\n"),
              HasSubstr("list.csv:3: the label 'sad' is a name, those before are numbers"));
  EXPECT_THAT(refusal("file,label\na,1\nb,99999999999999999999\n"), HasSubstr("is a name"));
}

TEST_F(LabelsTest, hostile_class_names_are_refused) {
  EXPECT_THAT(refusal("file,label\na," + std::string(201, 'x') + "\n"),
              HasSubstr("list.csv:2: a class name must have 1..200 printable characters"));
  EXPECT_THAT(refusal("file,label\na,\x1b[31m\n"), HasSubstr("printable"));
  EXPECT_THAT(refusal("file,label\na,\x1b[31m\n", {"x"}), HasSubstr("printable"));
  EXPECT_THAT(refusal("a 0\n", {"x", "x"}), HasSubstr("'x' is there twice"));
  EXPECT_THAT(refusal("a 0\n", {"x", ""}), HasSubstr("printable"));
  EXPECT_THAT(refusal("a 0\n", numbered_classes(1001)),
              HasSubstr("at most 1000, as their confusion matrix is kept"));
  std::string many = "file,label\n";
  for (int i = 0; i < 1001; ++i) many += cat("a,n", i, "\n");
  EXPECT_THAT(refusal(many), HasSubstr("list.csv:1002: more than 1000 classes, as their"));
}

}  // namespace
}  // namespace grimace
