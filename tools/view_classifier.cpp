#include "tools/view_classifier.h"

#include "ir/passes/passes.h"
#include "tools/recipe_model.h"

namespace grimace {

ViewClassifier::ViewClassifier(const Recipe& recipe, const std::string& backend,
                               const CompileOptions& options)
    : classes_(model_config(recipe).classes), backend_(make_backend(backend)) {
  auto graph = forward_graph(recipe, recipe.optim.batch_size, false);
  run_passes(*graph, forward_passes());
  run_passes(*graph, training_passes());
  executable_ = backend_->compile(*graph, options);
}

std::vector<ClipAnswer> ViewClassifier::classify(ViewDataset& views,
                                                 const std::function<void(int64_t)>& progress) {
  MergedViews merged(classes_);
  int64_t done = 0;
  views.restart();
  while (const auto batch = views.next()) {
    executable_->write("video", batch->video.view());
    executable_->run();
    const Tensor logits = executable_->read("logits").cast(DType::f32);
    for (const ClipView& view : batch->views)
      merged.add(view.id, view.label, view.segment, view.crop,
                 logits.as<float>().subspan(static_cast<size_t>(view.row * classes_),
                                            static_cast<size_t>(classes_)));
    done += batch->video.shape()[0];
    if (progress) progress(std::min(done, views.view_count()));
  }
  return merged.answers();
}

}  // namespace grimace
