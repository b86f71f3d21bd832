// From the logits of a clip's views to one answer per clip (spec 8.7).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "runtime/classification_metrics.h"

namespace grimace {

struct ViewAnswer {
  int segment = 0, crop = 0;
  std::vector<float> logits = {};
};

struct ClipAnswer {
  std::string id = {};
  int32_t label = 0;
  std::vector<double> probabilities = {};  // mean over the views
  int64_t predicted = 0;                   // the likeliest class, the first of equal ones
  std::vector<ViewAnswer> views = {};      // in the order in which they came
};

// Probabilities from logits. RunError naming `id` when a logit is not finite.
std::vector<double> softmax(const std::string& id, std::span<const float> logits);

class MergedViews {
 public:
  explicit MergedViews(int64_t classes) : classes_(classes) {}

  // The logits of one view. `id` is what tells clips apart; a repeat of the same segment and crop
  // of a clip is dropped. RunError when a logit is not finite.
  void add(const std::string& id, int32_t label, int segment, int crop,
           std::span<const float> logits);

  std::vector<ClipAnswer> answers() const;  // in the order in which their first views came

 private:
  struct Clip {
    int32_t label = 0;
    std::vector<ViewAnswer> views = {};
    std::vector<double> sum = {};  // of the views' probabilities
  };
  int64_t classes_;
  std::vector<std::string> order_;
  std::map<std::string, Clip> clips_;
};

ConfusionMatrix confusion_matrix(std::span<const ClipAnswer> answers, int64_t classes);
ClassificationMetrics classification_metrics(std::span<const ClipAnswer> answers, int64_t classes);

}  // namespace grimace
