// A PyTorch file as a checkpoint of a run: parameters, moments, steps.
#pragma once

#include <filesystem>
#include <span>

#include "models/parameters.h"
#include "runtime/checkpoint.h"
#include "tools/recipe.h"

namespace grimace {

// Writes what the .pth `file` has of a run with this recipe and these parameters to `out`, as
// checkpoint-<step>.safetensors, and opens that. A file of ours brings its step and its recipe;
// another's is at the end of the epoch it names (else at the steps of its optimizer), and shapes
// alone can be compared. Error naming what the file lacks, before anything is written: without
// moments that fit there is nothing to continue, only weights for --init.
Checkpoint import_pth(const std::filesystem::path& file, const Recipe& recipe,
                      std::span<const ParamSpec> params, int64_t steps_per_epoch,
                      const std::filesystem::path& out);

}  // namespace grimace
