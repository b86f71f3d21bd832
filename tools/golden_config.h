// What a golden file's metadata says about its model.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "autodiff/train_step.h"
#include "models/classifier.h"
#include "models/masked_autoencoder.h"
#include "models/parameters.h"
#include "runtime/safetensors.h"

namespace grimace {

struct GoldenConfig {
  std::string kind;
  ModelConfig model;
  int64_t batch = 1;
  // Of kind "optimizer": the hyper-parameters, and the names that are not decayed.
  TrainStepOptions optimizer;
  std::set<std::string> no_weight_decay;
};

// Error naming the file and the key for anything unknown, missing or of the wrong type.
GoldenConfig read_golden_config(const SafetensorsFile& file);

// "loss.smoothing_0.1" with prefix "loss.smoothing_" -> 0.1; nothing when the prefix differs.
std::optional<double> suffix_value(const std::string& name, const std::string& prefix);

}  // namespace grimace
