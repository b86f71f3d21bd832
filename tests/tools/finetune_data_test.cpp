// The classes of a labelled list under the settings of a recipe.
#include "tools/finetune_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "ir/error.h"
#include "tests/data/clips.h"
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
    return testing::error_of([&] { read(text); });
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

// The first batch of one clip, with the settings of the recipe.
class FinetuneBatchTest : public FinetuneDataTest {
 protected:
  FinetuneBatchTest() {
    recipe_.model.image = 32;
    recipe_.model.frames = 2;
    recipe_.data.classes = {"a", "b"};
    recipe_.optim.batch_size = 1;
    recipe_.augment = {
        .aa = "none", .crop_area = {1, 1}, .flip = 0, .reprob = 0, .mixup = 0, .cutmix = 0};
    testing::write_clip(scratch_ / "clip.mp4", 12);
  }
  std::vector<float> video() {
    const auto source = finetune_batches(recipe_, read("file,label\nclip.mp4,a\n"));
    source->seek(0, 0);
    const Tensor rows = source->next().at("video").cast(DType::f32);
    return {rows.as<float>().begin(), rows.as<float>().end()};
  }
};

TEST_F(FinetuneBatchTest, every_augmentation_of_the_recipe_is_applied) {
  const std::vector<float> plain = video();
  EXPECT_EQ(video(), plain);
  std::vector<float> mirrored = plain;
  for (size_t row = 0; row < mirrored.size(); row += 32)
    std::reverse(mirrored.begin() + static_cast<ptrdiff_t>(row),
                 mirrored.begin() + static_cast<ptrdiff_t>(row + 32));
  const Recipe::Augment none = recipe_.augment;
  const auto with = [&](auto change) {
    recipe_.augment = none;
    change(recipe_.augment);
    return video();
  };
  EXPECT_EQ(with([](auto& a) { a.flip = 1; }), mirrored);
  const std::vector<float> erased = with([](auto& a) { a.reprob = 1; });
  EXPECT_NE(erased, plain);
  EXPECT_NE(with([](auto& a) { a.reprob = 1, a.recount = 3; }), erased);
  EXPECT_NE(with([](auto& a) { a.crop_area = {0.08, 0.2}; }), plain);
  EXPECT_NE(with([](auto& a) { a.aa = "rand-m9-n15-mstd0.5-inc1"; }), plain);
  EXPECT_EQ(with([](auto& a) { a.num_sample = 2; }).size(), 2 * plain.size());
  recipe_.data.no_augmentation = true;
  EXPECT_EQ(with([](auto& a) { a.flip = 1; }), plain);
}

// Spec 8.6: segments times crops to test, one view to validate.
TEST_F(FinetuneBatchTest, views_are_as_many_as_the_recipe_asks_for) {
  const auto count = [&](Views kind) {
    return views(recipe_, read("file,label\nclip.mp4,a\n"), kind)->view_count();
  };
  EXPECT_EQ(count(Views::test), 4);
  EXPECT_EQ(count(Views::validation), 1);
  recipe_.data.test_num_segment = 5;
  recipe_.data.test_num_crop = 3;
  EXPECT_EQ(count(Views::test), 15);
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
