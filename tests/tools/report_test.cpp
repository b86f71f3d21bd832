// The page of a report: what it is made of, and that no file can break out of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ir/error.h"
#include "tests/testing.h"
#include "tools/report_charts.h"
#include "tools/report_page.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScratchDir;

constexpr const char* kFigures =
    R"json({"model": "m", "list": "test <i>.csv", "clips": 3, "uar": 0.75,
  "war": 0.6667, "macro_f1": 0.5,
  "classes": [{"name": "happy", "clips": 2, "recall": 0.5, "f1": 0.6}, {"name": "<sad>", "recall": null}],
  "confusion": [[1, 1], [0, 1]]})json";

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

ReportData report_of(const std::filesystem::path& path) {
  ReportData report;
  add_to_report(report, path);
  return report;
}

std::string refusal(const std::filesystem::path& path) {
  try {
    report_of(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Report, gathers_what_a_run_folder_holds) {
  const ScratchDir dir;
  write(dir / "run/metrics.jsonl",
        "{\"step\":0,\"loss\":2.5}\n{\"step\":1,\"loss\":null}\n"
        "{\"step\":2,\"loss\":1.5}\n{\"step\":3,\"lo");
  write(dir / "run/validation.jsonl", "{\"step\":2,\"epoch\":0,\"uar\":0.25,\"war\":0.5}\n");
  write(dir / "run/test/metrics.json", kFigures);
  write(dir / "run/clip.png", "\x89PNG\r\n\x1a\n...");
  write(dir / "run/checkpoint-3.safetensors", "");
  const ReportData report = report_of(dir / "run/");
  ASSERT_EQ(report.trainings.size(), 1u);
  EXPECT_EQ(report.trainings[0].name, "run");
  EXPECT_EQ(report.trainings[0].steps, 3);
  EXPECT_EQ(report.trainings[0].loss.points, (std::vector<CurvePoint>{{0, 2.5}, {2, 1.5}}));
  EXPECT_EQ(report.trainings[0].validation[0].points, (std::vector<CurvePoint>{{1, 25}}));
  ASSERT_EQ(report.evaluations.size(), 1u);
  EXPECT_EQ(report.evaluations[0].confusion[0], (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(report.pictures.size(), 1u);
}

TEST(Report, page_needs_nothing_else_and_escapes_what_files_say) {
  const ScratchDir dir;
  write(dir / "a/metrics.json", kFigures);
  write(
      dir / "a/p.jsonl",
      R"json({"file":"<script>x</script>","person":1,"start":0,"end":2,"label":"happy","probabilities":{"happy":0.75,"\"><b>":0.25}}
{"file":"<script>x</script>","person":1,"start":2,"end":3,"label":"no_face"}
)json");
  write(dir / "a/'quoted' & co.png", "\x89PNG\r\n\x1a\n...");
  const std::string page = report_page(report_of(dir / "a"), "<title>");
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<b>\"")));
  EXPECT_THAT(page, Not(HasSubstr("http")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;x&lt;/script&gt;, person 1"));
  EXPECT_THAT(page, HasSubstr("<title>&lt;title&gt;</title>"));
  EXPECT_THAT(page, HasSubstr("&lt;sad&gt;"));
  EXPECT_THAT(page, HasSubstr("&#39;quoted&#39; &amp; co"));
  EXPECT_THAT(page, HasSubstr("2.00 to 3.00 s: no face"));
  EXPECT_THAT(page, HasSubstr("data:image/png;base64,iVBORw0KGgouLi4=\""));
  EXPECT_THAT(page, HasSubstr("UAR 75.0 %"));
}

TEST(Report, times_without_a_face_show_for_every_person_of_the_file) {
  const ScratchDir dir;
  write(dir / "p.jsonl",
        R"json({"file":"a","person":1,"start":0,"end":2,"label":"x","probabilities":{"x":1}}
{"file":"a","person":null,"start":2,"end":3,"label":"no_face","probabilities":null}
{"file":"a","person":2,"start":3,"end":4,"label":"x","probabilities":{"x":1}}
{"file":"b","person":null,"start":0,"end":1,"label":"no_face","probabilities":null}
)json");
  const ReportData report = report_of(dir / "p.jsonl");
  ASSERT_EQ(report.timelines.size(), 3u);
  EXPECT_EQ(report.timelines[0].person, "1");
  EXPECT_EQ(report.timelines[0].rows.size(), 2u);
  EXPECT_EQ(report.timelines[1].person, "2");
  EXPECT_EQ(report.timelines[1].rows[0].label, "");
  EXPECT_EQ(report.timelines[2].file, "b");
}

TEST(Report, base64_has_the_published_examples) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Report, a_long_curve_is_averaged_and_an_empty_one_is_left_out) {
  Curve curve{"loss", {}};
  EXPECT_EQ(line_chart({curve}, "step"), "");
  for (int i = 0; i < 100000; ++i) curve.points.push_back({static_cast<double>(i), 1.0 + i % 2});
  const std::string chart = line_chart({curve}, "step");
  EXPECT_LT(chart.size(), 20000u);
  EXPECT_THAT(chart, Not(HasSubstr("nan")));
  curve.points.resize(1);
  EXPECT_THAT(line_chart({curve}, "step"), HasSubstr("<circle"));
}

TEST(Report, refuses_what_it_cannot_show) {
  const ScratchDir dir;
  std::filesystem::create_directory(dir / "empty");
  EXPECT_THAT(refusal(dir / "empty"), HasSubstr("holds nothing to report"));
  EXPECT_THAT(refusal(dir / "absent"), HasSubstr("no such file or folder"));
  write(dir / "x.txt", "x");
  EXPECT_THAT(refusal(dir / "x.txt"), HasSubstr("a report is made of"));
  write(dir / "x.png", "GIF89a");
  EXPECT_THAT(refusal(dir / "x.png"), HasSubstr("is no PNG picture"));
  for (const char* text :
       {"", "[]", "{}", "{\"classes\":[{}],\"confusion\":[[1,2]]}",
        "{\"classes\":[{}],\"confusion\":[[-1]]}", "{\"classes\":[3],\"confusion\":[[1]]}",
        "{\"classes\":[{}],\"confusion\":[[1e99]]}"}) {
    write(dir / "x.json", text);
    EXPECT_THAT(refusal(dir / "x.json"), HasSubstr("x.json: ")) << text;
  }
  write(dir / "x.jsonl", "{\"start\":0}\n");
  EXPECT_THAT(refusal(dir / "x.jsonl"), HasSubstr("holds no lines of predict"));
  write(dir / "x.jsonl", "{}\nprose\n");
  EXPECT_THAT(refusal(dir / "x.jsonl"), HasSubstr("x.jsonl:2: is no JSON object"));
}

}  // namespace
}  // namespace grimace
