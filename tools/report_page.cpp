#include "tools/report_page.h"

#include <algorithm>

#include "ir/error.h"
#include "tools/report_charts.h"
#include "tools/table.h"

namespace grimace {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #1d2530; --dim: #5c6675; --line: #e1e5ea; --faint: #d3d8de;
  --heat: 37, 99, 180; --heat-text: #ffffff;
  --c0: #2563b4; --c1: #d9682b; --c2: #1f8a5b; --c3: #a0438f; --c4: #b08a00; --c5: #1592a8; --c6: #c2394b;
  --c7: #6b6f76; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12161c; --card: #1b212a; --text: #e6eaf0; --dim: #9aa5b4; --line: #2d3541; --faint: #3c4654;
  --heat: 84, 148, 230; --heat-text: #0d1218;
  --c0: #6aa5ee; --c1: #f0955f; --c2: #56bd8c; --c3: #d080c0; --c4: #d9b840; --c5: #52c0d4; --c6: #ec7784;
  --c7: #a3a9b2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 20px 56px; }
h1 { font-size: 26px; margin: 0 0 20px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 36px 0 12px; }
h3 { font-size: 14px; margin: 0 0 8px; font-weight: 600; overflow-wrap: anywhere; }
p { margin: 0 0 10px; color: var(--dim); max-width: 75ch; }
.grid2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 16px; align-items: start; }
.results { display: flex; flex-wrap: wrap; }
.results .card { max-width: 100%; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; min-width: 0; }
.tile b { display: block; font-size: 24px; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--dim); font-size: 13px; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--dim); font-size: 12px; font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0 0 8px; font-size: 13px; color: var(--dim); }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: separate; border-spacing: 2px; font-size: 13px; font-variant-numeric: tabular-nums; }
th { font-weight: 600; color: var(--dim); padding: 4px 5px; text-align: center; }
th.row { text-align: right; white-space: nowrap; }
td { text-align: center; padding: 5px 6px; min-width: 46px; border-radius: 5px; }
td small { display: block; opacity: 0.75; font-size: 11px; }
.plain td, .plain th { text-align: right; padding: 4px 12px; }
.plain td:first-child, .plain th:first-child { text-align: left; }
img { max-width: 100%; height: auto; display: block; border-radius: 6px; background: #fff; }
footer { margin-top: 40px; color: var(--dim); font-size: 13px; }
)css";

std::string percent(const std::optional<double>& fraction) {
  return fraction ? fixed(100 * *fraction, 1) + " %" : "-";
}

std::string tile(const std::string& value, const std::string& caption) {
  return cat("<div class=\"card tile\"><b>", html_escape(value), "</b><span>", html_escape(caption),
             "</span></div>\n");
}

std::string legend(const std::vector<std::string>& names) {
  std::string text = "<div class=\"legend\">";
  for (size_t i = 0; i < names.size(); ++i)
    text += cat("<span><i style=\"background:", series_colour(i), "\"></i>", html_escape(names[i]),
                "</span>");
  return text + "</div>";
}

std::string tiles(const ReportData& report) {
  std::string text;
  for (const TrainingCurves& run : report.trainings) {
    const auto& points = run.loss.points;
    if (!points.empty())
      text += tile(fixed(points.back()[1], 3),
                   cat(run.name, ": loss after ", grouped(run.steps), " steps"));
  }
  for (const EvaluationFigures& figures : report.evaluations) {
    text += tile(percent(figures.uar), figures.name + ": UAR, mean recall of the classes");
    text += tile(percent(figures.war),
                 cat(figures.name, ": WAR, right of ", grouped(figures.clips), " clips"));
  }
  return text.empty() ? "" : "<div class=\"tiles\">\n" + text + "</div>\n";
}

std::string trainings(const ReportData& report) {
  if (report.trainings.empty()) return "";
  std::string text = "<h2>Training</h2>\n<div class=\"grid2\">\n";
  for (const TrainingCurves& run : report.trainings) {
    text += cat("<div class=\"card\"><h3>", html_escape(run.name), ": loss</h3>\n",
                line_chart({run.loss}, "step"), "</div>\n");
    const std::string chart = line_chart(run.validation, "epoch", "%");
    if (!chart.empty())
      text += cat("<div class=\"card\"><h3>", html_escape(run.name), ": validation</h3>\n",
                  legend({"UAR", "WAR"}), chart, "</div>\n");
  }
  return text + "</div>\n";
}

// Rows are the true classes; a cell's shade is its share of the row.
std::string confusion_table(const EvaluationFigures& figures) {
  std::string text = "<div class=\"scroll\"><table><tr><th></th>";
  for (const auto& entry : figures.classes) text += "<th>" + html_escape(entry.name) + "</th>";
  text += "</tr>\n";
  for (size_t row = 0; row < figures.confusion.size(); ++row) {
    double clips = 0.0;
    for (const int64_t count : figures.confusion[row]) clips += static_cast<double>(count);
    text += "<tr><th class=\"row\">" + html_escape(figures.classes[row].name) + "</th>";
    for (const int64_t count : figures.confusion[row]) {
      const double share = clips > 0 ? static_cast<double>(count) / clips : 0.0;
      text += cat("<td style=\"background:rgba(var(--heat),", fixed(0.06 + 0.94 * share, 2), ")",
                  share > 0.5 ? ";color:var(--heat-text)" : "", "\">", count, "<small>",
                  fixed(100 * share, 0), "%</small></td>");
    }
    text += "</tr>\n";
  }
  return text + "</table></div>\n";
}

std::string class_table(const EvaluationFigures& figures) {
  std::string text = "<table class=\"plain\"><tr><th>class</th><th>recall</th><th>F1</th></tr>\n";
  for (const auto& entry : figures.classes)
    text += cat("<tr><td>", html_escape(entry.name), "</td><td>", percent(entry.recall),
                "</td><td>", percent(entry.f1), "</td></tr>\n");
  return text + "</table>\n";
}

std::string evaluations(const ReportData& report) {
  std::string text;
  for (const EvaluationFigures& figures : report.evaluations)
    text += cat("<h2>Recognition</h2>\n<p>", html_escape(figures.list), ", ",
                grouped(figures.clips), " clips: UAR ", percent(figures.uar), ", WAR ",
                percent(figures.war), ", macro F1 ", percent(figures.macro_f1), "; chance is ",
                percent(1.0 / static_cast<double>(figures.classes.size())),
                ".</p>\n<div class=\"grid2 results\">\n<div class=\"card\"><h3>",
                "Confusion: true classes in rows, predicted in columns</h3>\n",
                confusion_table(figures), "</div>\n<div class=\"card\"><h3>By class</h3>\n",
                class_table(figures), "</div>\n</div>\n");
  return text;
}

std::string pictures(const ReportData& report) {
  if (report.pictures.empty()) return "";
  std::string text = "<h2>Pictures</h2>\n<div class=\"grid2\">\n";
  for (const ReportPicture& picture : report.pictures)
    text += cat("<div class=\"card\"><h3>", html_escape(picture.name), "</h3><img alt=\"",
                html_escape(picture.name), "\" src=\"data:image/png;base64,", base64(picture.png),
                "\"></div>\n");
  return text + "</div>\n";
}

std::string timelines(const ReportData& report) {
  if (report.timelines.empty()) return "";
  std::vector<std::string> names(report.expressions.size());
  for (const auto& [name, number] : report.expressions) names[number] = name;
  std::string text =
      "<h2>Expressions over time</h2>\n<p>Lines: how likely each expression is. Band: the "
      "likeliest; "
      "grey where no face was found.</p>\n" +
      legend(names);
  for (const Timeline& timeline : report.timelines)
    text += cat("<div class=\"card\" style=\"margin-bottom:16px\"><h3>", html_escape(timeline.file),
                timeline.person.empty() ? "" : ", person " + html_escape(timeline.person),
                "</h3>\n", timeline_chart(timeline, report.expressions), "</div>\n");
  return text;
}

}  // namespace

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::string report_page(const ReportData& report, const std::string& title) {
  return cat("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
             html_escape(title), "</title>\n<style>", kStyle,
             "</style>\n</head>\n<body>\n<main>\n<h1>", html_escape(title), "</h1>\n",
             tiles(report), trainings(report), evaluations(report), pictures(report),
             timelines(report),
             "<footer>Made by grimace report.</footer>\n</main>\n</body>\n</html>\n");
}

}  // namespace grimace
