// What a --model argument stands for: the name of a configuration, a run folder (its newest intact
// checkpoint), a checkpoint or another file of weights, a saved graph, or a graph in text form.
// Also the way of weights from a file into an executable.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "models/weight_names.h"
#include "runtime/executable.h"
#include "runtime/graph_file.h"
#include "runtime/weights.h"
#include "tools/recipe.h"

namespace grimace {

struct ModelSource {
  enum class Kind { name, checkpoint, graph } kind = Kind::name;
  std::string label = {};           // for people: the name, or the file and what it is
  std::filesystem::path file = {};  // of a checkpoint or a graph
  Settings settings = {};           // of a name or a checkpoint: where its recipe starts from
  std::unique_ptr<Graph> graph = nullptr;  // of a graph, verified

  // The recipe of a name or a checkpoint under further settings: the file `config` (may be empty),
  // then each key=value of `pairs`. A name given wins over the one in `config`. Validated; warnings
  // go to the log. Error for a graph file.
  Recipe recipe(const std::string& config, const std::vector<std::string>& pairs) const;
};

// Error naming what was given and what it may be, or the file and what is wrong with it.
// Checkpoints passed over as damaged are named in warnings. Of a file without a recipe (.pth, plain
// .safetensors) names and shapes tell the model (models/weight_names.h); settings may correct that.
ModelSource open_model_source(const std::string& model);

// Names and types of the model's tensors.
std::vector<NamedType> named_types(const Weights& weights);

// Writes what the file has into the parameters of a model's executable. Error that says what the
// file holds and what would fit, unless it satisfies `rule`; the rest stays as it is.
LoadReport load_parameters(Executable& executable, const NamedModel& model, const Weights& weights,
                           LoadRule rule);

// What a trained model answers with: all parameters, the averaged ones where the file keeps them
// unless `ema` says otherwise. Error where the file does not have what is asked for.
void load_trained(Executable& executable, const NamedModel& model, const Weights& weights,
                  std::optional<bool> ema = {});

}  // namespace grimace
