// What a --model argument stands for: the name of a configuration, a run folder (its newest intact
// checkpoint), a checkpoint, a saved graph, or a graph in text form.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "ir/graph.h"
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
// Checkpoints passed over as damaged are named in warnings.
ModelSource open_model_source(const std::string& model);

}  // namespace grimace
