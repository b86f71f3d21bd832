// A PyTorch file as a checkpoint of a run: parameters, moments, steps.
#pragma once

#include <filesystem>
#include <span>

#include "models/parameters.h"
#include "runtime/checkpoint.h"
#include "tools/recipe.h"

namespace grimace {

// Writes what the .pth `file` has of a run with this recipe and these parameters to `out`, as
// checkpoint-<step>.safetensors, and opens that. The steps are those of the optimizer. A file of
// ours also brings its recipe; of another's, shapes alone can be compared. Error naming what the
// file lacks: without moments that fit there is nothing to continue, only weights for --init.
Checkpoint import_pth(const std::filesystem::path& file, const Recipe& recipe,
                      std::span<const ParamSpec> params, const std::filesystem::path& out);

}  // namespace grimace
