// A classifier on the views of a labelled list, and the files that tell of it (spec 8.6, 8.7, 9).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/evaluation_report.h"
#include "tools/finetune_data.h"
#include "tools/model_source.h"
#include "tools/run_on.h"

namespace grimace {

struct EvaluationSettings {
  std::string list = {};
  std::string root = {};
  std::string classes = {};  // empty: the model's
  RunOn on = {};
  std::vector<std::string> pairs = {};  // of --set
  int64_t batch_size = 8;
  std::optional<bool> ema = std::nullopt;  // averaged parameters; unset: where there are some
};

// The answers for every readable clip of the list. Error when the model is no classifier or the
// list does not fit it. `out`, where not empty, gets the files of write_evaluation() once all is
// done; a folder that cannot be written is refused first.
Evaluation evaluate_list(const ModelSource& source, const EvaluationSettings& settings,
                         const std::filesystem::path& out = {});

EvaluatedOn evaluated_on(const EvaluationSettings& settings, const Recipe& recipe);

inline constexpr const char* kMetricsFile = "metrics.json";

}  // namespace grimace
