// What an evaluation writes, for a small one whose numbers are easy.
#include "tools/evaluation_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace grimace {
namespace {

using ::testing::HasSubstr;

Evaluation example() {
  const auto answer = [](const char* id, int32_t label, int64_t predicted) {
    ClipAnswer made{.id = id, .label = label, .probabilities = {0, 0, 0}, .predicted = predicted};
    made.probabilities[static_cast<size_t>(predicted)] = 1;
    return made;
  };
  return {.model = "m.safetensors",
          .list = "l.csv",
          .classes = {"happy", "sad", "unseen"},
          .answers = {answer("a.mp4", 0, 0), answer("b, \"c\".mp4", 0, 1), answer("d.mp4", 1, 1)},
          .unreadable = 2,
          .unlabelled = 1};
}

TEST(EvaluationReport, lists_every_clip_with_its_label_and_prediction) {
  EXPECT_EQ(predictions_csv(example()),
            "id,label,pred\na.mp4,0,0\n\"b, \"\"c\"\".mp4\",0,1\nd.mp4,1,1\n");
}

TEST(EvaluationReport, has_the_logits_of_every_view_as_the_authors_program_writes_them) {
  Evaluation evaluation = example();
  evaluation.answers[0].views = {{0, 0, {0.1f, -2, 3e-8f}}, {1, 0, {1, 0.25f, 0}}};
  evaluation.answers[2].views = {{0, 1, {-0.0f, 1e10f, 0}}};
  EXPECT_EQ(views_text(evaluation),
            "66.6667, 100\na.mp4 [0.1, -2, 3e-08] 0 0 0\na.mp4 [1, 0.25, 0] 0 1 0\n"
            "d.mp4 [-0, 1e+10, 0] 1 0 1\n");
}

TEST(EvaluationReport, says_how_it_was_made) {
  Evaluation evaluation = example();
  evaluation.on = {"clips", "cpu", "bf16", 2, 3};
  EXPECT_EQ(evaluated_on(nlohmann::json::parse(metrics_json(evaluation))), evaluation.on);
}

TEST(EvaluationReport, has_the_figures_as_json) {
  const auto json = nlohmann::json::parse(metrics_json(example()));
  EXPECT_EQ(json["clips"], 3);
  EXPECT_EQ(json["unreadable"], 2);
  EXPECT_EQ(json["unlabelled"], 1);
  EXPECT_EQ(json["uar"], 0.75);
  EXPECT_EQ(json["war"], 2.0 / 3);
  EXPECT_EQ(json["confusion"], nlohmann::json::parse("[[1,1,0],[0,1,0],[0,0,0]]"));
  EXPECT_EQ(json["classes"][0]["recall"], 0.5);
  EXPECT_TRUE(json["classes"][2]["recall"].is_null());
}

TEST(EvaluationReport, survives_names_that_are_not_utf8) {
  Evaluation evaluation = example();
  evaluation.list = "l\xff.csv";
  EXPECT_TRUE(nlohmann::json::accept(metrics_json(evaluation)));
}

TEST(EvaluationReport, shows_classes_and_figures_in_a_table) {
  const std::string table = evaluation_table(example());
  EXPECT_THAT(table, HasSubstr("happy       2     50.00  66.67\n"));
  EXPECT_THAT(table, HasSubstr("unseen      0         -      -\n"));
  EXPECT_THAT(table, HasSubstr("UAR           75.00 %\n"));
}

// The colour of a cell, away from its text.
Rgb cell_colour(const Image& image, int from_right, int from_bottom) {
  const int cell = 104;
  const int x = image.width - 12 - from_right * cell - 10;
  const int y = image.height - 12 - from_bottom * cell - 10;
  const size_t at =
      (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) * 3;
  return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
}

TEST(EvaluationReport, draws_shares_of_a_row_as_colours) {
  const Image image = confusion_picture(example());
  const Rgb white{255, 255, 255};
  const Rgb full{24, 90, 170};
  EXPECT_EQ(cell_colour(image, 0, 0), white);
  EXPECT_EQ(cell_colour(image, 1, 1), full);  // sad taken for sad
  const Rgb half = cell_colour(image, 2, 2);  // half of happy
  EXPECT_EQ(half, cell_colour(image, 1, 2));
  EXPECT_NEAR(half[0], (255 + 24) / 2, 1);
}

TEST(EvaluationReport, draws_many_classes_small) {
  Evaluation evaluation = example();
  evaluation.classes.resize(1000, "x");
  for (ClipAnswer& answer : evaluation.answers) answer.probabilities.resize(1000);
  const Image image = confusion_picture(evaluation);
  EXPECT_EQ(image.width, 2 * 12 + 1000 * 4);
  EXPECT_EQ(image.height, image.width);
}

}  // namespace
}  // namespace grimace
