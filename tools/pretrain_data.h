// From a recipe to its training data: the list, the clips, the masks.
#pragma once

#include <memory>

#include "data/check.h"
#include "data/pretrain_dataset.h"
#include "tools/recipe.h"

namespace grimace {

ListFile training_list(const Recipe& recipe);
ClipConfig clip_config(const Recipe& recipe, const ListFile& list);
std::unique_ptr<BatchSource> training_batches(const Recipe& recipe, ListFile list);

}  // namespace grimace
