// The page of a report: what it is made of, and that no file can break out of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
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
  return testing::error_of([&] { report_of(path); });
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
  EXPECT_THAT(refusal(dir / "x.jsonl"), HasSubstr("x.jsonl:2: is not JSON"));
  write(dir / "x.jsonl", "{}\n[]\n");
  EXPECT_THAT(refusal(dir / "x.jsonl"), HasSubstr("x.jsonl:2: is no JSON object"));
}

TEST(Report, refuses_what_nests) {
  const ScratchDir dir;
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const auto refused = HasSubstr(": JSON of more than 64 brackets");
  for (const std::string& text : {"{\"classes\":" + deep + "}", "{\"clips\":" + deep + "}"}) {
    write(dir / "x.json", text);
    EXPECT_THAT(refusal(dir / "x.json"), refused);
  }
  write(dir / "x.jsonl", "{\"start\":0,\"end\":1,\"person\":" + deep + "}\n");
  EXPECT_THAT(refusal(dir / "x.jsonl"), refused);
}

TEST(Report, refuses_steps_and_epochs_that_no_run_reaches) {
  const ScratchDir dir;
  write(dir / "run/metrics.jsonl", "{\"step\":1,\"loss\":1}\n{\"step\":5e15,\"loss\":1}\n");
  EXPECT_THAT(refusal(dir / "run"),
              HasSubstr("metrics.jsonl:2: step is 5e+15; expected 0 to 1e+12"));
  write(dir / "run/metrics.jsonl", "{\"step\":1e12,\"loss\":1e308}\n");
  write(dir / "run/validation.jsonl", "{\"epoch\":-1,\"uar\":0.5}\n");
  EXPECT_THAT(refusal(dir / "run"), HasSubstr("validation.jsonl:1: epoch is -1"));
}

// "a0":0,"a1":0, ...
std::string probabilities(int first, int count) {
  std::string text;
  for (int i = first; i < first + count; ++i)
    text += cat(text.empty() ? "" : ",", "\"a", i, "\":0.5");
  return cat("{\"start\":", first, ",\"end\":", first + 1, ",\"probabilities\":{", text, "}}\n");
}

TEST(Report, shows_at_most_64_expressions_of_all_lines_together) {
  const ScratchDir dir;
  write(dir / "x.jsonl", probabilities(0, 40) + probabilities(24, 40));
  EXPECT_EQ(report_of(dir / "x.jsonl").expressions.size(), 64u);
  write(dir / "x.jsonl", probabilities(0, 40) + probabilities(25, 40));
  EXPECT_THAT(refusal(dir / "x.jsonl"),
              HasSubstr("x.jsonl:2: one class more than the 64 that a report shows"));
  write(dir / "x.jsonl", probabilities(0, 65));
  EXPECT_THAT(refusal(dir / "x.jsonl"), HasSubstr("x.jsonl:1: 65 probabilities"));
}

TEST(Report, lines_of_expressions_break_where_they_are_not_told) {
  const ScratchDir dir;
  write(dir / "x.jsonl", R"json({"start":0,"end":1,"label":"b","probabilities":{"a":0.25,"b":0.75}}
{"start":1,"end":2,"label":"b","probabilities":{"b":0.5}}
{"start":2,"end":3,"label":"no_face"}
{"start":3,"end":4,"label":"a","probabilities":{"a":1,"b":0}}
)json");
  const ReportData report = report_of(dir / "x.jsonl");
  const std::string chart = timeline_chart(report.timelines[0], report.expressions);
  std::vector<size_t> points;  // of each line
  for (size_t at = 0; (at = chart.find(" points=\"", at)) != std::string::npos; ++at) {
    const std::string list = chart.substr(at + 9, chart.find('"', at + 9) - at - 9);
    points.push_back(static_cast<size_t>(std::ranges::count(list, ',')));
  }
  EXPECT_THAT(points, ::testing::ElementsAre(1, 1, 2, 1));
}

// Exit code 1 where a chart has no place for a point; never ends where it counts ticks in vain.
[[noreturn]] void draw_far_charts() {
  alarm(5);
  for (const double x : {5e15, 1e18, 1e300, -1e300, 2e7})
    for (const double y : {0.0, 5e15, -1e300}) {
      const double next = x + std::max(1.0, std::abs(x) * 1e-15);
      for (const Curve& curve : {Curve{"loss", {{x, y}}}, Curve{"loss", {{x, y}, {next, -y}}}})
        if (line_chart({curve}, "step").find("nan") != std::string::npos) _exit(1);
    }
  _exit(0);
}

TEST(ReportDeathTest, charts_of_numbers_beyond_counting_end) {
  EXPECT_EXIT(draw_far_charts(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace grimace
