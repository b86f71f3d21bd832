// What an evaluation found: as a table for people, as pred.csv, metrics.json and a picture.
#pragma once

#include <string>
#include <vector>

#include "data/image.h"
#include "runtime/merged_views.h"

namespace grimace {

struct Evaluation {
  std::string model = {};  // for people: the file
  std::string list = {};
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
std::string metrics_json(const Evaluation& evaluation);
// Rows are the true classes, columns the predicted ones; a cell's colour is its share of the row.
// Beyond 64 classes there are colours alone.
Image confusion_picture(const Evaluation& evaluation);

}  // namespace grimace
