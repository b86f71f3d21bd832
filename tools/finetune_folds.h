// Fine-tuning on folds: each in a folder of the run, trained, tested on its test list with the last
// parameters, as the published figures were (spec 7.3, 9).
#pragma once

#include <functional>
#include <vector>

#include "tools/recipe.h"

namespace grimace {

// `train` runs one recipe and returns the exit code. Stops at the first that is not 0 and returns
// it. What is complete already is neither trained nor tested again. `dry` tests nothing.
int finetune_folds(const Recipe& recipe, const std::vector<int64_t>& folds, bool dry,
                   const std::function<int(const Recipe&)>& train);

}  // namespace grimace
