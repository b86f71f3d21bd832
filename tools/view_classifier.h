// A classifier ready to answer: which recipe its file stands for, and its forward graph, run over
// every view of a labelled list or over clips that come one by one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "backends/backend.h"
#include "data/view_dataset.h"
#include "runtime/merged_views.h"
#include "tools/model_source.h"

namespace grimace {

// The recipe of the classifier in a file, for batches of `batch_size`; `classes` are names with
// commas between, or empty for the file's own. Without either, names are numbers. Error unless the
// source has trained weights of a classifier; `command` is who asks.
Recipe classifier_recipe(const ModelSource& source, const std::string& command, int64_t batch_size,
                         const std::string& classes, const std::vector<std::string>& pairs);

class ViewClassifier {
 public:
  // For batches of optim.batch_size views. Its parameters are still to be written.
  ViewClassifier(const Recipe& recipe, const std::string& backend, const CompileOptions& options);

  Executable& executable() { return *executable_; }
  void load(const Weights& weights, std::optional<bool> ema = {}) {
    load_trained(*executable_, model_, weights, ema);
  }
  // f32 [batch,classes] for a full batch f32 [batch,3,T,H,W].
  Tensor logits(const Tensor& video);
  // One answer for each readable clip. `progress`, where given, is called with the views done.
  std::vector<ClipAnswer> classify(ViewDataset& views,
                                   const std::function<void(int64_t)>& progress = {});

 private:
  NamedModel model_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Executable> executable_;
};

}  // namespace grimace
