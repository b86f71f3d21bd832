#include "tools/prediction_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "tools/csv_field.h"
#include "tools/table.h"

namespace grimace {
namespace {

std::string padded(const std::string& text, size_t width, bool right) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

std::string table_line(const std::string& person, const std::string& start, const std::string& end,
                       const std::string& label, int width, const std::string& probability) {
  return padded(person, 6, true) + padded(start, 10, true) + padded(end, 10, true) + "  " +
         padded(label, static_cast<size_t>(width), false) + padded(probability, 13, true);
}

bool ends_in_json(const std::string& path) {
  const std::string kind = std::filesystem::path(path).extension().string();
  check(kind == ".csv" || kind == ".jsonl", "--out ", path, ": must end in .csv or .jsonl");
  return kind == ".jsonl";
}

double rounded(double value, double parts) {
  return std::round(value * parts) / parts;
}

}  // namespace

size_t Prediction::top() const {
  return static_cast<size_t>(std::ranges::max_element(probabilities) - probabilities.begin());
}

PredictionTable::PredictionTable(const std::vector<std::string>& classes)
    : classes_(classes), width_(static_cast<int>(std::string(kNoFace).size())) {
  for (const std::string& name : classes) width_ = std::max(width_, static_cast<int>(name.size()));
}

std::string PredictionTable::header() const {
  return table_line("person", "start s", "end s", "label", width_, "probability");
}

std::string PredictionTable::line(const Prediction& p) const {
  return table_line(p.face() ? std::to_string(p.person) : "-", fixed(p.start, 2), fixed(p.end, 2),
                    p.face() ? classes_[p.top()] : kNoFace, width_,
                    p.face() ? fixed(p.probabilities[p.top()], 3) : "-");
}

std::string prediction_csv_header(const std::vector<std::string>& classes) {
  std::string text = "file,person,start,end,label,probability,x,y,width,height";
  for (const std::string& name : classes) text += "," + csv_field("p_" + name);
  return text + "\n";
}

std::string prediction_csv(const Prediction& p, const std::vector<std::string>& classes) {
  std::string text = csv_field(p.file) + "," + (p.face() ? std::to_string(p.person) : "") + "," +
                     fixed(p.start, 3) + "," + fixed(p.end, 3) + ",";
  if (!p.face()) return text + kNoFace + std::string(5 + classes.size(), ',') + "\n";
  text += csv_field(classes[p.top()]) + "," + fixed(p.probabilities[p.top()], 6);
  for (const float side : {p.box.x, p.box.y, p.box.width, p.box.height})
    text += "," + fixed(side, 1);
  for (const double probability : p.probabilities) text += "," + fixed(probability, 6);
  return text + "\n";
}

std::string prediction_json(const Prediction& p, const std::vector<std::string>& classes) {
  nlohmann::ordered_json row{{"file", p.file},
                             {"person", nullptr},
                             {"start", rounded(p.start, 1000)},
                             {"end", rounded(p.end, 1000)},
                             {"label", kNoFace},
                             {"probability", nullptr},
                             {"box", nullptr},
                             {"probabilities", nullptr}};
  if (p.face()) {
    row["person"] = p.person;
    row["label"] = classes[p.top()];
    row["probability"] = p.probabilities[p.top()];
    row["box"] = {{"x", rounded(p.box.x, 10)},
                  {"y", rounded(p.box.y, 10)},
                  {"width", rounded(p.box.width, 10)},
                  {"height", rounded(p.box.height, 10)}};
    nlohmann::ordered_json probabilities;
    for (size_t c = 0; c < classes.size(); ++c) probabilities[classes[c]] = p.probabilities[c];
    row["probabilities"] = probabilities;
  }
  // File names are bytes; those that are not UTF-8 get replacement characters.
  return row.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

PredictionFile::PredictionFile(const std::string& path, std::vector<std::string> classes)
    : classes_(std::move(classes)), json_(ends_in_json(path)), file_(path) {
  if (!json_) file_.write(prediction_csv_header(classes_));
}

void PredictionFile::add(const Prediction& prediction) {
  file_.write(json_ ? prediction_json(prediction, classes_) : prediction_csv(prediction, classes_));
}

void PredictionFile::finish() {
  file_.commit();
}

}  // namespace grimace
