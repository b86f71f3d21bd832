// Random weights and input for a step of a recipe's model: what measurements of speed run on.
#pragma once

#include <functional>
#include <span>

#include "runtime/executable.h"
#include "tools/recipe.h"

namespace grimace {

// Random numbers, of which the first million are distinct and come again and again: drawing as many
// as a large batch needs takes seconds.
template <class T>
void draw_repeating(std::span<T> values, const std::function<T()>& draw) {
  constexpr size_t kDistinct = size_t{1} << 20;
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = i < kDistinct ? draw() : values[i - kDistinct];
}

// Fills every param with its initial values and every input the graph has: pixels of noise, masks
// drawn as in a run, labels, rates, seeds. InternalError for an input it does not know.
void write_random_step(Executable& step, const Recipe& recipe);

}  // namespace grimace
