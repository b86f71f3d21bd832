// What an evaluation found: as a table for people, as pred.csv, views.txt, metrics.json and a
// picture.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/image.h"
#include "runtime/merged_views.h"

namespace grimace {

// What the figures depend on beside the parameters and the list.
struct EvaluatedOn {
  std::string root = {}, backend = {}, precision = {};
  int64_t test_num_segment = 0, test_num_crop = 0;
  bool operator==(const EvaluatedOn&) const = default;
};

struct Evaluation {
  std::string model = {};  // for people: the file
  std::string list = {};
  EvaluatedOn on = {};
  std::vector<std::string> classes = {};  // names
  std::vector<ClipAnswer> answers = {};
  int64_t unreadable = 0;  // clips left out
  int64_t unlabelled = 0;  // rows left out

  ConfusionMatrix matrix() const { return confusion_matrix(answers, std::ssize(classes)); }
  ClassificationMetrics metrics() const {
    return classification_metrics(answers, std::ssize(classes));
  }
};

std::string evaluation_table(const Evaluation& evaluation);
// Columns id,label,pred: the clip's path and class numbers (spec 8.7).
std::string predictions_csv(const Evaluation& evaluation);
// The logits of every view as the authors' program writes them (spec 8.7): a line "acc1, acc5",
// then
// "<id> [z0, z1, ...] <label> <segment> <crop>".
std::string views_text(const Evaluation& evaluation);
std::string metrics_json(const Evaluation& evaluation);
// What such a file says of itself; nlohmann::json::exception where it does not.
EvaluatedOn evaluated_on(const nlohmann::json& metrics);
// Rows are the true classes, columns the predicted ones; a cell's colour is its share of the row.
// Beyond 64 classes there are colours alone.
Image confusion_picture(const Evaluation& evaluation);

}  // namespace grimace
