#include "tools/embedder.h"

#include <cmath>
#include <map>

#include "ir/passes/passes.h"
#include "tools/random_step.h"
#include "tools/recipe_model.h"

namespace grimace {

Embedder::Embedder(const ModelSource& source, Recipe recipe, const std::string& backend,
                   const CompileOptions& options)
    : recipe_(std::move(recipe)), backend_(make_backend(backend)) {
  const bool classifier = is_classifier(recipe_.model.name);
  feature_ = classifier ? "the classifier's feature before its head"
                        : "the mean of the pre-trained encoder's tokens, normalised";
  if (!classifier) {
    const bool joint = model_config(recipe_).encoder == Encoder::joint;
    recipe_.model.name = joint ? "videomae-classifier" : "mae-dfer-classifier";
    recipe_.model.classify_token = "org";
  }
  auto graph = forward_graph(recipe_, recipe_.optim.batch_size, false);
  const Value feature = graph->find_output("feature");
  graph->clear_outputs();
  graph->add_output("feature", feature);
  run_passes(*graph, forward_passes());
  run_passes(*graph, training_passes());
  executable_ = backend_->compile(*graph, options);
  write_random_step(*executable_, recipe_);  // a pre-training file has no fc_norm
  const NamedModel model{model_config(recipe_), true};
  if (classifier)
    load_trained(*executable_, model, open_weights(source.file));
  else
    load_parameters(*executable_, model, open_weights(source.file), LoadRule::encoder);
}

Embedder::Result Embedder::embed(ViewDataset& views, const std::function<void(int64_t)>& progress) {
  struct Sum {
    std::vector<double> values;
    int64_t views = 0;
  };
  std::map<int64_t, Sum> sums;
  const auto width = static_cast<size_t>(recipe_.model.embed_dim);
  int64_t done = 0;
  views.restart();
  while (const auto batch = views.next()) {
    executable_->write("video", batch->video.view());
    executable_->run();
    const Tensor feature = executable_->read("feature").cast(DType::f32);
    for (const ClipView& view : batch->views) {
      Sum& sum = sums[view.clip];
      sum.values.resize(width);
      ++sum.views;
      const auto row = feature.as<float>().subspan(static_cast<size_t>(view.row) * width, width);
      for (size_t c = 0; c < width; ++c) {
        if (!std::isfinite(row[c]))
          throw RunError(
              cat(views.clips().list.entries[static_cast<size_t>(view.clip)].path.string(),
                  ": the model's feature is not finite; is its training sound?"));
        sum.values[c] += row[c];
      }
    }
    done += batch->video.shape()[0];
    if (progress) progress(std::min(done, views.view_count()));
  }
  Result result{Tensor(DType::f32, {std::ssize(sums), static_cast<int64_t>(width)}), {}};
  for (const auto& [clip, sum] : sums) {
    for (size_t c = 0; c < width; ++c)
      result.features.as<float>()[result.clips.size() * width + c] =
          static_cast<float>(sum.values[c] / static_cast<double>(sum.views));
    result.clips.push_back(clip);
  }
  return result;
}

}  // namespace grimace
