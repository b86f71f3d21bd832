// The classes of a labelled list under the settings of a recipe.
#include "tools/finetune_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FinetuneDataTest : public ::testing::Test {
 protected:
  LabelledClips read(const std::string& text) {
    const auto file = scratch_ / "list.csv";
    std::ofstream(file) << text;
    return labelled_clips(recipe_, file.string());
  }
  std::string error_of(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  testing::ScratchDir scratch_;
  Recipe recipe_ = recipe_for_model("mae-dfer-classifier");
};

TEST_F(FinetuneDataTest, classes_are_found_from_the_list_where_none_are_named) {
  EXPECT_THAT(read("file,label\na,sad\nb,happy\n").classes, ElementsAre("happy", "sad"));
  EXPECT_THAT(read("a 2\nb 0\n").classes, ElementsAre("0", "1", "2"));
}

TEST_F(FinetuneDataTest, a_number_of_classes_may_exceed_the_numbers_in_the_list) {
  recipe_.model.classes = 5;
  EXPECT_EQ(read("a 2\nb 0\n").classes.size(), 5u);
  EXPECT_THAT(error_of("a 2\nb 5\n"), HasSubstr("list.csv:2: label 5 is out of range"));
}

TEST_F(FinetuneDataTest, a_number_of_classes_must_fit_the_names_in_the_list) {
  recipe_.model.classes = 3;
  EXPECT_THAT(error_of("file,label\na,sad\nb,happy\n"),
              HasSubstr("its labels name 2 classes, but the model has 3"));
  recipe_.model.classes = 2;
  EXPECT_THAT(read("file,label\na,sad\nb,happy\n").labels, ElementsAre(1, 0));
}

TEST_F(FinetuneDataTest, named_classes_give_the_order_and_refuse_others) {
  recipe_.data.classes = {"sad", "happy"};
  EXPECT_THAT(read("file,label\na,sad\nb,happy\n").labels, ElementsAre(0, 1));
  EXPECT_THAT(error_of("file,label\na,sad\nb,angry\n"),
              HasSubstr("list.csv:3: the label 'angry' is none of the 2 classes sad, happy"));
}

TEST_F(FinetuneDataTest, rows_without_a_label_are_counted_and_left_out) {
  ::testing::internal::CaptureStderr();
  const LabelledClips clips = read("file,label\na,sad\nb,\nc,happy\nd,\n");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("list.csv: 2 clips without a label are left out"));
  EXPECT_EQ(clips.labels.size(), 2u);
}

}  // namespace
}  // namespace grimace
