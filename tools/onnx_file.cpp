#include "tools/onnx_file.h"

#include "backends/backend.h"
#include "ir/onnx_export.h"
#include "runtime/atomic_file.h"
#include "tools/random_step.h"
#include "tools/recipe_model.h"
#include "tools/table.h"

namespace grimace {
namespace {

// The model's parameters, in the memory of an executable.
std::unique_ptr<Executable> weights_of(const ModelSource& source, const Recipe& recipe,
                                       const Graph& graph) {
  auto executable = make_backend("reference")->compile(graph, {});
  if (source.kind == ModelSource::Kind::name)
    write_random_step(*executable, recipe);
  else
    load_trained(*executable, {model_config(recipe), true}, open_weights(source.file));
  return executable;
}

}  // namespace

std::string write_onnx_file(const std::filesystem::path& file, const ModelSource& source,
                            const Recipe& recipe, int64_t batch) {
  check(is_classifier(recipe.model.name), source.label,
        ": holds a pre-training model; ONNX export is for classifiers. Make one of it first: "
        "grimace finetune --init ",
        source.kind == ModelSource::Kind::name ? "CHECKPOINT" : source.file.string());
  // From 2 on, no size of one clip alone is taken for a 1 that broadcasts.
  const int64_t clips = batch > 0 ? batch : 2;
  const auto graph = forward_graph(recipe, clips, false);
  const auto one_more = batch > 0 ? nullptr : forward_graph(recipe, clips + 1, false);
  const auto executable = weights_of(source, recipe, *graph);
  const OnnxExport what{.weights =
                            [&](Value param) {
                              const ConstView view = executable->view(param.name());
                              return std::span(static_cast<const std::byte*>(view.data),
                                               static_cast<size_t>(view.type.bytes()));
                            },
                        .one_more = one_more.get(),
                        .metadata = {{"classes", joined(recipe.data.classes, ",")}}};
  const std::string bytes = to_onnx(*graph, what);
  write_text(file, bytes);
  return cat("wrote ", file.string(), ": ONNX operator set ", kOnnxOperatorSet, ", ",
             batch > 0 ? cat(batch, " clips") : "any number of clips", ", ",
             graph->inputs(Role::param).size(), " parameter tensors, ",
             bytes_text(static_cast<int64_t>(bytes.size())));
}

}  // namespace grimace
