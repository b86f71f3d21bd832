// How good a classifier is: the confusion matrix and the published figures made of it (spec 9).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace grimace {

class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int64_t classes);
  // InternalError unless both are in 0..classes-1; also of at().
  void add(int64_t label, int64_t predicted, int64_t clips = 1);
  int64_t at(int64_t label, int64_t predicted) const;
  int64_t classes() const { return classes_; }
  int64_t label_count(int64_t label) const;  // clips of the class
  int64_t predicted_count(int64_t predicted) const;
  int64_t total() const;

 private:
  size_t place(int64_t label, int64_t predicted) const;

  int64_t classes_;
  std::vector<int64_t> counts_;  // [label][predicted]
};

// Fractions from 0 to 1. Means are over the classes that occur in labels or predictions.
struct ClassificationMetrics {
  double acc1 = 0.0;  // the same number as war and micro_f1
  double acc5 = 0.0;  // the label is among the five likeliest classes
  double uar = 0.0;   // unweighted average recall: mean of the classes' recalls
  double war = 0.0;   // weighted average recall
  double micro_f1 = 0.0;
  double macro_f1 = 0.0;
  double weighted_f1 = 0.0;
  std::vector<std::optional<double>> recall = {};  // by class; nothing for one that does not occur
  std::vector<std::optional<double>> f1 = {};

  // By its name above. Error when there is none such.
  double value(std::string_view name) const;
};
// The names of the figures that are one number.
const std::vector<std::string_view>& metric_names();

// All zero for no clips. `in_top5` is the number of clips that count for acc5.
ClassificationMetrics classification_metrics(const ConfusionMatrix& matrix, int64_t in_top5);

}  // namespace grimace
