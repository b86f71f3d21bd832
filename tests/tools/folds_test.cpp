// Folds of a folder of lists, and what classifiers of several folds reach together.
#include "tools/folds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "tests/testing.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

using ::testing::ElementsAre;

class FoldsTest : public ::testing::Test {
 protected:
  void make(const std::vector<std::string>& folders) {
    for (const std::string& folder : folders) fs::create_directory(scratch_ / folder);
  }
  std::vector<int64_t> choose(const std::string& text, int64_t expected = 0) {
    return choose_folds(scratch_.path(), text, expected);
  }
  std::string error_of(const std::string& text, int64_t expected = 0) {
    try {
      choose(text, expected);
    } catch (const Error& error) {
      return std::string(error.what()).substr(scratch_.path().string().size());
    }
    return "no error";
  }
  testing::ScratchDir scratch_;
};

TEST_F(FoldsTest, all_of_them_or_some_can_be_chosen) {
  make({"fold-2", "fold-10", "fold-1", "fold-x", "fold-03", "notes"});
  EXPECT_THAT(choose("all"), ElementsAre(1, 2, 10));
  EXPECT_THAT(choose("all", 3), ElementsAre(1, 2, 10));
  EXPECT_THAT(choose("10,1"), ElementsAre(1, 10));
}

TEST_F(FoldsTest, a_fold_that_does_not_exist_is_refused_with_those_that_do) {
  make({"fold-1", "fold-2"});
  EXPECT_EQ(error_of("3"), ": there is no fold 3; there are 1, 2");
  EXPECT_EQ(error_of("all", 5), ": it has the folds 1, 2; data.folds says there are 5");
}

TEST_F(FoldsTest, what_is_no_choice_and_no_folder_of_folds_is_refused) {
  EXPECT_EQ(error_of("all"),
            ": there are no folds in it; expected fold-1/train.csv and so on, as grimace data "
            "prepare writes it");
  make({"fold-1"});
  for (const char* text : {"some", "1,", "0", "-1", "1 2"})
    EXPECT_THROW(choose(text), Error) << text;
  EXPECT_THROW(choose_folds(scratch_ / "gone", "all", 0), Error);
}

ConfusionMatrix matrix_of(const std::vector<std::vector<int64_t>>& rows) {
  ConfusionMatrix matrix(std::ssize(rows));
  for (size_t label = 0; label < rows.size(); ++label)
    for (size_t predicted = 0; predicted < rows.size(); ++predicted)
      matrix.add(static_cast<int64_t>(label), static_cast<int64_t>(predicted),
                 rows[label][predicted]);
  return matrix;
}

// Recalls 1 and 0.5 of 4 clips, then 0.5 and 0 of 16.
TEST(FoldTable, has_the_mean_of_the_folds_and_the_figures_of_all_clips) {
  const std::vector<FoldScore> scores{{1, matrix_of({{2, 0}, {1, 1}})},
                                      {3, matrix_of({{4, 4}, {8, 0}})}};
  EXPECT_EQ(fold_table(scores),
            "fold    clips  UAR %  WAR %  macro F1 %  weighted F1 %\n"
            "------  -----  -----  -----  ----------  -------------\n"
            "1           4  75.00  75.00       73.33          73.33\n"
            "3          16  25.00  25.00       20.00          20.00\n"
            "------  -----  -----  -----  ----------  -------------\n"
            "mean       20  50.00  50.00       46.67          46.67\n"
            "pooled     20  35.00  35.00       30.67          30.67\n");
  const auto json = nlohmann::json::parse(folds_json(scores));
  EXPECT_EQ(json["folds"][1]["fold"], 3);
  EXPECT_EQ(json["folds"][1]["uar"], 0.25);
  EXPECT_EQ(json["mean"]["war"], 0.5);
  EXPECT_NEAR(json["pooled"]["war"].get<double>(), 0.35, 1e-12);
}

TEST(FoldTable, of_matrices_of_different_classes_is_refused) {
  const std::vector<FoldScore> scores{{1, matrix_of({{2, 0}, {1, 1}})}, {3, matrix_of({{4}})}};
  for (const auto make : {fold_table, folds_json}) {
    try {
      make(scores);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_STREQ(
          error.what(),
          "fold 3 tells 1 classes apart and fold 1 2; folds of one data set have the same");
    }
  }
}

TEST(Confusion, of_a_file_is_read_and_anything_else_is_refused) {
  const auto read = [](const std::string& text, int64_t classes) {
    return confusion_from_json(nlohmann::json::parse(text), classes, "m.json");
  };
  const ConfusionMatrix matrix = read(R"({"confusion": [[1, 2], [3, 4]]})", 2);
  EXPECT_EQ(matrix.at(0, 1), 2);
  EXPECT_EQ(matrix.total(), 10);
  for (const char* text :
       {"[]", "3", "{}", R"({"confusion": 1})", R"({"confusion": {"a": [1], "b": [2]}})",
        R"({"confusion": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]})", R"({"confusion": [[1], [2]]})",
        R"({"confusion": [[1, 2], [3]]})", R"({"confusion": [[1, 2], 3]})",
        R"({"confusion": [[1, 2], [3, -4]]})", R"({"confusion": [[1, 2], [3, 4.5]]})",
        R"({"confusion": [[1, 2], [3, 9223372036854775807]]})",
        R"({"confusion": [[1, 2], [3, "4"]]})"})
    EXPECT_THROW(read(text, 2), Error) << text;
}

TEST(FoldTable, of_one_fold_has_no_mean) {
  EXPECT_EQ(fold_table({{2, matrix_of({{1, 0}, {0, 1}})}}),
            "fold  clips   UAR %   WAR %  macro F1 %  weighted F1 %\n"
            "----  -----  ------  ------  ----------  -------------\n"
            "2         2  100.00  100.00      100.00         100.00\n");
}

}  // namespace
}  // namespace grimace
