// One answer per clip from the logits of its views (spec 8.7).
#include "runtime/merged_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"

namespace grimace {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

void add(MergedViews& views, const std::string& id, int32_t label, int segment,
         const std::vector<float>& logits) {
  views.add(id, label, segment, 0, logits);
}

TEST(MergedViews, average_probabilities_and_not_logits) {
  MergedViews views(2);
  // Logits would sum to the first class, probabilities of 1/(1+e) twice and 1 to the second.
  add(views, "a", 1, 0, {10.0f, 0.0f});
  add(views, "a", 1, 1, {0.0f, 1.0f});
  add(views, "a", 1, 2, {0.0f, 1.0f});
  const std::vector<ClipAnswer> answers = views.answers();
  ASSERT_EQ(answers.size(), 1u);
  const double sure = 1 / (1 + std::exp(-10.0));
  const double unsure = 1 / (1 + std::exp(1.0));
  const double first = (sure + 2 * unsure) / 3;
  EXPECT_THAT(answers[0].probabilities,
              ElementsAre(DoubleNear(first, 1e-15), DoubleNear(1 - first, 1e-15)));
  EXPECT_EQ(answers[0].predicted, first > 0.5 ? 0 : 1);
}

TEST(MergedViews, drop_a_repeated_view) {
  MergedViews views(2);
  add(views, "a", 0, 0, {0.0f, 1.0f});
  add(views, "a", 0, 0, {9.0f, 0.0f});
  EXPECT_NEAR(views.answers()[0].probabilities[0], 1 / (1 + std::exp(1.0)), 1e-15);
  ASSERT_EQ(views.answers()[0].views.size(), 1u);
  EXPECT_THAT(views.answers()[0].views[0].logits, ElementsAre(0.0f, 1.0f));
}

TEST(MergedViews, keep_the_order_in_which_clips_came) {
  MergedViews views(2);
  for (const char* id : {"z", "a", "z", "m"}) add(views, id, 1, 0, {0.0f, 1.0f});
  std::vector<std::string> ids;
  for (const ClipAnswer& answer : views.answers()) ids.push_back(answer.id);
  EXPECT_THAT(ids, ElementsAre("z", "a", "m"));
}

TEST(MergedViews, do_not_overflow_for_large_logits) {
  MergedViews views(2);
  add(views, "a", 0, 0, {1e30f, -1e30f});
  EXPECT_THAT(views.answers()[0].probabilities, ElementsAre(1.0, 0.0));
}

TEST(MergedViews, refuse_an_answer_that_is_not_finite) {
  MergedViews views(2);
  EXPECT_THROW(add(views, "a", 0, 0, {std::numeric_limits<float>::quiet_NaN(), 0.0f}), RunError);
}

TEST(MergedViews, of_clips_give_the_metrics_and_the_five_likeliest_classes) {
  MergedViews views(7);
  const std::vector<float> falling{7, 6, 5, 4, 3, 2, 1};
  add(views, "right", 0, 0, falling);
  add(views, "fifth", 4, 0, falling);
  add(views, "sixth", 5, 0, falling);
  const std::vector<ClipAnswer> answers = views.answers();
  const ClassificationMetrics m = classification_metrics(answers, 7);
  EXPECT_DOUBLE_EQ(m.acc1, 1.0 / 3);
  EXPECT_DOUBLE_EQ(m.acc5, 2.0 / 3);
  const ConfusionMatrix matrix = confusion_matrix(answers, 7);
  EXPECT_EQ(matrix.at(5, 0), 1);
  EXPECT_EQ(matrix.total(), 3);
}

}  // namespace
}  // namespace grimace
