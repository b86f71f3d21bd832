#include "tools/evaluation_report.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "tools/csv_field.h"
#include "tools/table.h"

namespace grimace {
namespace {

constexpr int kMostLabelled = 64;  // classes whose names and numbers a picture shows
constexpr int kCell = 104;         // pixels of a labelled cell
constexpr int kBareCell = 4;
constexpr int kMargin = 12;
constexpr int kScale = 2;  // of the letters
constexpr int kLine = 20;  // height of a line of them
constexpr Rgb kInk{30, 30, 30};
constexpr Rgb kPaper{255, 255, 255};

std::string percent(const std::optional<double>& fraction) {
  return fraction ? fixed(100 * *fraction, 2) : "-";
}

// The fewest digits that give the number back.
std::string exact(float value) {
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.begin(), digits.end(), value).ptr};
}

// White to blue.
Rgb shade(double share) {
  const auto mix = [&](double from, double to) {
    return static_cast<uint8_t>(std::lround(from + (to - from) * share));
  };
  return {mix(255, 24), mix(255, 90), mix(255, 170)};
}

void draw_centred(Image& image, std::string_view text, int centre, int y, Rgb colour) {
  draw_text(image, text, centre - text_width(text, kScale) / 2, y, kScale, colour);
}

// A name cut to what fits the width.
std::string fitting(const std::string& name, int width) {
  size_t letters = name.size();
  while (letters > 1 && text_width(std::string_view(name).substr(0, letters), kScale) > width)
    --letters;
  return name.substr(0, letters);
}

}  // namespace

std::string evaluation_table(const Evaluation& evaluation) {
  const ConfusionMatrix matrix = evaluation.matrix();
  const ClassificationMetrics metrics = evaluation.metrics();
  Table classes({"class", "clips", "recall %", "F1 %"});
  for (size_t c = 0; c < evaluation.classes.size(); ++c)
    classes.row({evaluation.classes[c], std::to_string(matrix.label_count(static_cast<int64_t>(c))),
                 percent(metrics.recall[c]), percent(metrics.f1[c])});
  Table whole(2);
  for (const auto& [name, value] : {std::pair{"UAR", metrics.uar},
                                    {"WAR", metrics.war},
                                    {"top 5", metrics.acc5},
                                    {"macro F1", metrics.macro_f1},
                                    {"weighted F1", metrics.weighted_f1}})
    whole.row({name, percent(value) + " %"});
  return classes.text() + "\n" + whole.text();
}

std::string predictions_csv(const Evaluation& evaluation) {
  std::string text = "id,label,pred\n";
  for (const ClipAnswer& answer : evaluation.answers)
    text += cat(csv_field(answer.id), ",", answer.label, ",", answer.predicted, "\n");
  return text;
}

std::string views_text(const Evaluation& evaluation) {
  const ClassificationMetrics metrics = evaluation.metrics();
  std::string text = cat(100 * metrics.acc1, ", ", 100 * metrics.acc5, "\n");
  for (const ClipAnswer& answer : evaluation.answers)
    for (const ViewAnswer& view : answer.views) {
      text += answer.id + " [";
      for (const float& logit : view.logits)
        text += cat(&logit == view.logits.data() ? "" : ", ", exact(logit));
      text += cat("] ", answer.label, " ", view.segment, " ", view.crop, "\n");
    }
  return text;
}

EvaluatedOn evaluated_on(const nlohmann::json& metrics) {
  return {.root = metrics.at("root"),
          .backend = metrics.at("backend"),
          .precision = metrics.at("precision"),
          .test_num_segment = metrics.at("test_num_segment"),
          .test_num_crop = metrics.at("test_num_crop")};
}

std::string metrics_json(const Evaluation& evaluation) {
  using nlohmann::ordered_json;
  const ConfusionMatrix matrix = evaluation.matrix();
  const ClassificationMetrics metrics = evaluation.metrics();
  ordered_json json{{"model", evaluation.model},
                    {"list", evaluation.list},
                    {"root", evaluation.on.root},
                    {"backend", evaluation.on.backend},
                    {"precision", evaluation.on.precision},
                    {"test_num_segment", evaluation.on.test_num_segment},
                    {"test_num_crop", evaluation.on.test_num_crop},
                    {"clips", evaluation.answers.size()},
                    {"unreadable", evaluation.unreadable},
                    {"unlabelled", evaluation.unlabelled}};
  for (const std::string_view name : metric_names()) json[std::string(name)] = metrics.value(name);
  const auto or_null = [](const std::optional<double>& x) {
    return x ? ordered_json(*x) : ordered_json();
  };
  for (int64_t c = 0; c < matrix.classes(); ++c) {
    const auto i = static_cast<size_t>(c);
    json["classes"].push_back({{"name", evaluation.classes[i]},
                               {"clips", matrix.label_count(c)},
                               {"recall", or_null(metrics.recall[i])},
                               {"f1", or_null(metrics.f1[i])}});
    ordered_json row = ordered_json::array();
    for (int64_t p = 0; p < matrix.classes(); ++p) row.push_back(matrix.at(c, p));
    json["confusion"].push_back(row);
  }
  // File names are bytes; those that are not UTF-8 get replacement characters.
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Image confusion_picture(const Evaluation& evaluation) {
  const ConfusionMatrix matrix = evaluation.matrix();
  const auto classes = static_cast<int>(matrix.classes());
  const bool labelled = classes <= kMostLabelled;
  const int cell = labelled ? kCell : kBareCell;
  int names = 0;  // width of the column of names
  for (const std::string& name : evaluation.classes)
    names = std::max(names, text_width(fitting(name, 2 * kCell), kScale));
  const int left = kMargin + (labelled ? names + kMargin : 0);
  const int top = kMargin + (labelled ? kLine : 0);
  Image picture =
      make_image(left + classes * cell + kMargin, top + classes * cell + kMargin, kPaper);
  for (int row = 0; row < classes; ++row) {
    const int y = top + row * cell;
    const auto clips = static_cast<double>(std::max<int64_t>(matrix.label_count(row), 1));
    const std::string& name = evaluation.classes[static_cast<size_t>(row)];
    if (labelled) {
      draw_text(picture, fitting(name, 2 * kCell), kMargin, y + cell / 2 - 7, kScale, kInk);
      draw_centred(picture, fitting(name, kCell - 4), left + row * cell + cell / 2, kMargin, kInk);
    }
    for (int column = 0; column < classes; ++column) {
      const double share = static_cast<double>(matrix.at(row, column)) / clips;
      const int x = left + column * cell;
      paste(picture, make_image(cell - 1, cell - 1, shade(share)), x, y);
      if (!labelled) continue;
      const Rgb ink = share > 0.5 ? kPaper : kInk;
      draw_centred(picture, std::to_string(matrix.at(row, column)), x + cell / 2, y + cell / 2 - 17,
                   ink);
      draw_centred(picture, fixed(100 * share, 0) + "%", x + cell / 2, y + cell / 2 + 3, ink);
    }
  }
  return picture;
}

}  // namespace grimace
