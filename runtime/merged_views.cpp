#include "runtime/merged_views.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"

namespace grimace {
namespace {

// Whether fewer than five classes are likelier than the label.
bool in_top5(const ClipAnswer& answer) {
  const double own = answer.probabilities[static_cast<size_t>(answer.label)];
  return std::ranges::count_if(answer.probabilities, [&](double p) { return p > own; }) < 5;
}

}  // namespace

std::vector<double> softmax(const std::string& id, std::span<const float> logits) {
  for (const float z : logits)
    if (!std::isfinite(z)) throw RunError(cat(id, ": the model's answer is not finite"));
  const double top = *std::ranges::max_element(logits);
  std::vector<double> p;
  double sum = 0.0;
  for (const float z : logits) sum += p.emplace_back(std::exp(z - top));
  for (double& value : p) value /= sum;
  return p;
}

void MergedViews::add(const std::string& id, int32_t label, int segment, int crop,
                      std::span<const float> logits) {
  internal_check(std::ssize(logits) == classes_, id, ": ", logits.size(), " logits for ", classes_,
                 " classes");
  const std::vector<double> p = softmax(id, logits);
  const auto [place, is_new] = clips_.try_emplace(id);
  Clip& clip = place->second;
  if (is_new) {
    order_.push_back(id);
    clip.label = label;
    clip.sum.assign(static_cast<size_t>(classes_), 0.0);
  }
  if (std::ranges::any_of(clip.views, [&](const ViewAnswer& view) {
        return view.segment == segment && view.crop == crop;
      }))
    return;
  clip.views.push_back({segment, crop, {logits.begin(), logits.end()}});
  for (size_t c = 0; c < p.size(); ++c) clip.sum[c] += p[c];
}

std::vector<ClipAnswer> MergedViews::answers() const {
  std::vector<ClipAnswer> answers;
  for (const std::string& id : order_) {
    const Clip& clip = clips_.at(id);
    ClipAnswer& answer = answers.emplace_back(
        ClipAnswer{.id = id, .label = clip.label, .probabilities = clip.sum, .views = clip.views});
    for (double& p : answer.probabilities) p /= static_cast<double>(clip.views.size());
    answer.predicted =
        std::ranges::max_element(answer.probabilities) - answer.probabilities.begin();
  }
  return answers;
}

ConfusionMatrix confusion_matrix(std::span<const ClipAnswer> answers, int64_t classes) {
  ConfusionMatrix matrix(classes);
  for (const ClipAnswer& answer : answers) matrix.add(answer.label, answer.predicted);
  return matrix;
}

ClassificationMetrics classification_metrics(std::span<const ClipAnswer> answers, int64_t classes) {
  return classification_metrics(confusion_matrix(answers, classes),
                                std::ranges::count_if(answers, in_top5));
}

}  // namespace grimace
