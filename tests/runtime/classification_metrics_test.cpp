// The figures of spec 9 against published matrices, and the classes that do not occur.
#include "runtime/classification_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;
using Rows = std::vector<std::vector<int64_t>>;

ConfusionMatrix matrix_of(const Rows& rows) {
  ConfusionMatrix matrix(std::ssize(rows));
  for (size_t label = 0; label < rows.size(); ++label)
    for (size_t predicted = 0; predicted < rows.size(); ++predicted)
      matrix.add(static_cast<int64_t>(label), static_cast<int64_t>(predicted),
                 rows[label][predicted]);
  return matrix;
}

ClassificationMetrics metrics_of(const Rows& rows) {
  return classification_metrics(matrix_of(rows), 0);
}

// Published numbers are rounded to two digits of a percent, or four of a fraction.
constexpr double kRounding = 0.5e-4;

TEST(ClassificationMetrics, of_the_published_dfew_matrix_are_the_published_ones) {
  const ClassificationMetrics m = metrics_of({{454, 7, 10, 14, 2, 1, 1},
                                              {5, 292, 49, 15, 11, 1, 6},
                                              {19, 30, 403, 38, 33, 5, 6},
                                              {9, 9, 49, 336, 22, 3, 7},
                                              {4, 11, 58, 9, 194, 0, 18},
                                              {0, 0, 16, 4, 3, 3, 3},
                                              {1, 20, 23, 17, 48, 1, 71}});
  EXPECT_NEAR(m.uar, 0.6259, kRounding);
  EXPECT_NEAR(m.war, 0.7488, kRounding);
  EXPECT_NEAR(m.weighted_f1, 0.7441, kRounding);
  EXPECT_NEAR(m.micro_f1, 0.7488, kRounding);
  EXPECT_NEAR(m.macro_f1, 0.6357, kRounding);
  EXPECT_NEAR(*m.recall[0], 454.0 / 489.0, 1e-15);
}

TEST(ClassificationMetrics, of_the_published_ferv39k_matrix_are_the_published_ones) {
  const ClassificationMetrics m = metrics_of({{1076, 57, 201, 59, 40, 33, 7},
                                              {91, 752, 228, 183, 51, 45, 43},
                                              {180, 205, 1158, 245, 71, 63, 36},
                                              {56, 197, 310, 750, 81, 54, 39},
                                              {78, 63, 138, 116, 192, 17, 34},
                                              {56, 75, 98, 114, 27, 84, 13},
                                              {26, 113, 89, 70, 39, 20, 74}});
  EXPECT_NEAR(m.uar, 0.4312, kRounding);
  EXPECT_NEAR(m.war, 0.5207, kRounding);
  EXPECT_NEAR(m.weighted_f1, 0.5110, kRounding);
  EXPECT_NEAR(m.macro_f1, 0.4366, kRounding);
}

TEST(ClassificationMetrics, leave_a_class_that_does_not_occur_out_of_the_means) {
  const ClassificationMetrics m = metrics_of({{1, 1, 0}, {0, 2, 0}, {0, 0, 0}});
  EXPECT_THAT(m.recall, ElementsAre(0.5, 1.0, std::nullopt));
  EXPECT_THAT(m.f1, ElementsAre(2.0 / 3.0, 0.8, std::nullopt));
  EXPECT_DOUBLE_EQ(m.uar, 0.75);
  EXPECT_DOUBLE_EQ(m.macro_f1, (2.0 / 3.0 + 0.8) / 2);
  EXPECT_DOUBLE_EQ(m.weighted_f1, (2.0 / 3.0 * 2 + 0.8 * 2) / 4);
}

TEST(ClassificationMetrics, count_a_class_that_is_only_predicted_with_recall_zero) {
  const ClassificationMetrics m = metrics_of({{3, 1}, {0, 0}});
  EXPECT_THAT(m.recall, ElementsAre(0.75, 0.0));
  EXPECT_DOUBLE_EQ(m.uar, 0.375);
  EXPECT_DOUBLE_EQ(m.war, 0.75);
}

TEST(ClassificationMetrics, of_no_clips_are_zero) {
  const ClassificationMetrics m = classification_metrics(ConfusionMatrix(3), 0);
  for (const std::string_view name : metric_names()) EXPECT_EQ(m.value(name), 0.0) << name;
}

TEST(ClassificationMetrics, are_found_by_their_names) {
  const ClassificationMetrics m = classification_metrics(matrix_of({{3, 1}, {1, 1}}), 6);
  EXPECT_EQ(m.value("acc5"), 1.0);
  EXPECT_EQ(m.value("uar"), m.uar);
  EXPECT_EQ(metric_names().size(), 7u);
  EXPECT_THROW(m.value("auc"), Error);
}

TEST(ConfusionMatrix, has_no_cells_outside) {
  const ConfusionMatrix matrix = matrix_of({{1, 2}, {3, 4}});
  EXPECT_EQ(matrix.at(1, 0), 3);
  for (const auto& [label, predicted] : {std::pair(0, 2), {2, 0}, {-1, 1}, {1, -1}})
    EXPECT_THROW((void)matrix.at(label, predicted), InternalError) << label << ", " << predicted;
}

}  // namespace
}  // namespace grimace
