#include "tools/prediction_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

const std::vector<std::string> kClasses{"happy", "very, very sad"};

Prediction sad() {
  return {.file = "a,b.mp4",
          .person = 2,
          .start = 1.28,
          .end = 3.4166666,
          .probabilities = {0.25, 0.75},
          .box = {10.04f, 20, 30, 31.5f}};
}
Prediction nobody() {
  return {.file = "c.mp4", .start = 0, .end = 2};
}

TEST(PredictionReport, has_a_csv_row_with_every_class) {
  EXPECT_EQ(prediction_csv_header(kClasses),
            "file,person,start,end,label,probability,x,y,width,height,p_happy,"
            "\"p_very, very sad\"\n");
  EXPECT_EQ(prediction_csv(sad(), kClasses),
            "\"a,b.mp4\",2,1.280,3.417,\"very, very sad\",0.750000,10.0,20.0,30.0,31.5,"
            "0.250000,0.750000\n");
}

TEST(PredictionReport, guesses_nothing_where_there_is_no_face) {
  const std::string row = prediction_csv(nobody(), kClasses);
  EXPECT_EQ(row, "c.mp4,,0.000,2.000,no_face,,,,,,,\n");
  const std::string header = prediction_csv_header({"a", "b"});
  EXPECT_EQ(std::ranges::count(row, ','), std::ranges::count(header, ','));
  const auto json = nlohmann::json::parse(prediction_json(nobody(), kClasses));
  EXPECT_EQ(json["label"], "no_face");
  for (const char* key : {"person", "probability", "probabilities", "box"})
    EXPECT_TRUE(json[key].is_null()) << key;
}

TEST(PredictionReport, has_a_json_line_with_every_class) {
  const std::string line = prediction_json(sad(), kClasses);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["person"], 2);
  EXPECT_EQ(json["end"], 3.417);
  EXPECT_EQ(json["label"], "very, very sad");
  EXPECT_EQ(json["probabilities"]["happy"], 0.25);
  EXPECT_EQ(json["box"]["height"], 31.5);
}

TEST(PredictionReport, survives_names_that_are_not_utf8) {
  Prediction prediction = sad();
  prediction.file = "\xff.mp4";
  EXPECT_TRUE(nlohmann::json::accept(prediction_json(prediction, kClasses)));
}

TEST(PredictionReport, aligns_its_table) {
  const PredictionTable table(kClasses);
  EXPECT_EQ(table.line(sad()), "     2      1.28      3.42  very, very sad        0.750");
  EXPECT_EQ(table.line(nobody()), "     -      0.00      2.00  no_face                   -");
  EXPECT_EQ(table.header().size(), table.line(sad()).size());
}

TEST(PredictionFile, is_there_when_finished_and_not_before) {
  testing::ScratchDir scratch;
  const auto path = scratch / "rows.csv";
  {
    PredictionFile left(path.string(), kClasses);
    left.add(sad());
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  PredictionFile file(path.string(), kClasses);
  file.add(nobody());
  file.finish();
  EXPECT_EQ(testing::file_text(path),
            prediction_csv_header(kClasses) + prediction_csv(nobody(), kClasses));
  EXPECT_THROW(PredictionFile((scratch / "rows.txt").string(), kClasses), Error);
}

}  // namespace
}  // namespace grimace
