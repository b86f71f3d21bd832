#include "tools/view_classifier.h"

#include <algorithm>

#include "ir/passes/passes.h"
#include "tools/recipe_model.h"

namespace grimace {

Recipe classifier_recipe(const ModelSource& source, const std::string& command, int64_t batch_size,
                         const std::string& classes, const std::vector<std::string>& pairs) {
  check(source.kind == ModelSource::Kind::checkpoint, command, " needs trained weights: '",
        source.label, "' is not a run folder or a checkpoint");
  std::vector<std::string> settings{cat("optim.batch_size=", batch_size)};
  if (!classes.empty()) settings.push_back("data.classes=" + classes);
  settings.insert(settings.end(), pairs.begin(), pairs.end());
  Recipe recipe = source.recipe("", settings);
  check(is_classifier(recipe.model.name), source.file.string(),
        ": holds a pre-training model, which knows no classes; make a classifier of it first: "
        "grimace finetune --init ",
        source.file.string(), " --data LIST --out DIR");
  // A file without names has numbers: names of the list would come in an order of their own.
  if (recipe.data.classes.empty())
    recipe.data.classes = numbered_classes(model_config(recipe).classes);
  return recipe;
}

ViewClassifier::ViewClassifier(const Recipe& recipe, const std::string& backend,
                               const CompileOptions& options)
    : model_{model_config(recipe), true}, backend_(make_backend(backend)) {
  auto graph = forward_graph(recipe, recipe.optim.batch_size, false);
  run_passes(*graph, forward_passes());
  run_passes(*graph, training_passes());
  executable_ = backend_->compile(*graph, options);
}

Tensor ViewClassifier::logits(const Tensor& video) {
  executable_->write("video", video.view());
  executable_->run();
  return executable_->read("logits").cast(DType::f32);
}

std::vector<ClipAnswer> ViewClassifier::classify(ViewDataset& views,
                                                 const std::function<void(int64_t)>& progress) {
  const int64_t classes = model_.config.classes;
  MergedViews merged(classes);
  int64_t done = 0;
  views.restart();
  while (const auto batch = views.next()) {
    const Tensor answer = logits(batch->video);
    for (const ClipView& view : batch->views)
      merged.add(view.id, view.label, view.segment, view.crop,
                 answer.as<float>().subspan(static_cast<size_t>(view.row * classes),
                                            static_cast<size_t>(classes)));
    done += batch->video.shape()[0];
    if (progress) progress(std::min(done, views.view_count()));
  }
  return merged.answers();
}

}  // namespace grimace
