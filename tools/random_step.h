// Random weights and input for a step of a recipe's model: what measurements of speed run on.
#pragma once

#include "runtime/executable.h"
#include "tools/recipe.h"

namespace grimace {

// Fills every param with its initial values and every input the graph has: pixels of noise, masks
// drawn as in a run, labels, rates, seeds. InternalError for an input it does not know.
void write_random_step(Executable& step, const Recipe& recipe);

}  // namespace grimace
