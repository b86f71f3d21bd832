// A classifier ready to answer: its forward graph, run over every view of a labelled list.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "backends/backend.h"
#include "data/view_dataset.h"
#include "runtime/merged_views.h"
#include "tools/recipe.h"

namespace grimace {

class ViewClassifier {
 public:
  // For batches of optim.batch_size views. Its parameters are still to be written.
  ViewClassifier(const Recipe& recipe, const std::string& backend, const CompileOptions& options);

  Executable& executable() { return *executable_; }
  // One answer for each readable clip. `progress`, where given, is called with the views done.
  std::vector<ClipAnswer> classify(ViewDataset& views,
                                   const std::function<void(int64_t)>& progress = {});

 private:
  int64_t classes_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Executable> executable_;
};

}  // namespace grimace
