#include "runtime/classification_metrics.h"

#include <algorithm>

#include "ir/error.h"

namespace grimace {
namespace {

double ratio(double part, int64_t whole) {
  return whole == 0 ? 0.0 : part / static_cast<double>(whole);
}

struct Figure {
  std::string_view name;
  double ClassificationMetrics::*value;
};
constexpr Figure kFigures[] = {{"acc1", &ClassificationMetrics::acc1},
                               {"acc5", &ClassificationMetrics::acc5},
                               {"uar", &ClassificationMetrics::uar},
                               {"war", &ClassificationMetrics::war},
                               {"micro_f1", &ClassificationMetrics::micro_f1},
                               {"macro_f1", &ClassificationMetrics::macro_f1},
                               {"weighted_f1", &ClassificationMetrics::weighted_f1}};

}  // namespace

ConfusionMatrix::ConfusionMatrix(int64_t classes)
    : classes_(classes), counts_(static_cast<size_t>(classes * classes)) {}

size_t ConfusionMatrix::place(int64_t label, int64_t predicted) const {
  internal_check(label >= 0 && label < classes_ && predicted >= 0 && predicted < classes_,
                 "confusion matrix of ", classes_, " classes: label ", label, ", prediction ",
                 predicted);
  return static_cast<size_t>(label * classes_ + predicted);
}

void ConfusionMatrix::add(int64_t label, int64_t predicted, int64_t clips) {
  counts_[place(label, predicted)] += clips;
}

int64_t ConfusionMatrix::at(int64_t label, int64_t predicted) const {
  return counts_[place(label, predicted)];
}

int64_t ConfusionMatrix::label_count(int64_t label) const {
  int64_t count = 0;
  for (int64_t c = 0; c < classes_; ++c) count += at(label, c);
  return count;
}

int64_t ConfusionMatrix::predicted_count(int64_t predicted) const {
  int64_t count = 0;
  for (int64_t c = 0; c < classes_; ++c) count += at(c, predicted);
  return count;
}

int64_t ConfusionMatrix::total() const {
  int64_t count = 0;
  for (const int64_t clips : counts_) count += clips;
  return count;
}

double ClassificationMetrics::value(std::string_view name) const {
  const auto* found = std::ranges::find(kFigures, name, &Figure::name);
  check(found != std::end(kFigures), "unknown metric \"", name.substr(0, 100), "\"");
  return this->*found->value;
}

const std::vector<std::string_view>& metric_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Figure& figure : kFigures) all.push_back(figure.name);
    return all;
  }();
  return names;
}

ClassificationMetrics classification_metrics(const ConfusionMatrix& matrix, int64_t in_top5) {
  ClassificationMetrics m;
  const int64_t total = matrix.total();
  int64_t present = 0;
  int64_t right = 0;
  double recalls = 0.0;
  double f1s = 0.0;
  double weighted_f1s = 0.0;
  for (int64_t c = 0; c < matrix.classes(); ++c) {
    const int64_t row = matrix.label_count(c);
    const int64_t column = matrix.predicted_count(c);
    const int64_t hits = matrix.at(c, c);
    right += hits;
    if (row + column == 0) {
      m.recall.emplace_back();
      m.f1.emplace_back();
      continue;
    }
    ++present;
    // A class that is predicted but never right to predict has recall 0.
    m.recall.emplace_back(ratio(static_cast<double>(hits), row));
    m.f1.emplace_back(ratio(2.0 * static_cast<double>(hits), row + column));
    recalls += *m.recall.back();
    f1s += *m.f1.back();
    weighted_f1s += *m.f1.back() * static_cast<double>(row);
  }
  m.acc1 = m.war = m.micro_f1 = ratio(static_cast<double>(right), total);
  m.acc5 = ratio(static_cast<double>(in_top5), total);
  m.uar = ratio(recalls, present);
  m.macro_f1 = ratio(f1s, present);
  m.weighted_f1 = ratio(weighted_f1s, total);
  return m;
}

}  // namespace grimace
