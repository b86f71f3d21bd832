// Clips as vectors: the feature that a classifier's head reads, or what a pre-trained encoder has
// in its place.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "data/view_dataset.h"
#include "tools/model_source.h"

namespace grimace {

class Embedder {
 public:
  // A classifier gives its feature (spec 2.9: pooled tokens, fc_norm). A pre-training model gives
  // the mean of its encoder's local tokens, normalised as a fresh fc_norm does.
  Embedder(const ModelSource& source, Recipe recipe, const std::string& backend,
           const CompileOptions& options);

  // For people: which of the two it is.
  const std::string& feature() const { return feature_; }
  const Recipe& recipe() const { return recipe_; }

  struct Result {
    Tensor features;             // f32 [clips,C], without those that were unreadable
    std::vector<int64_t> clips;  // of each row: its position in the list
  };
  // The mean over the views of each clip. `progress`, where given, is called with the views done.
  Result embed(ViewDataset& views, const std::function<void(int64_t)>& progress = {});

 private:
  Recipe recipe_;
  std::string feature_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Executable> executable_;
};

}  // namespace grimace
