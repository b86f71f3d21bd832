// From a recipe to what a classifier learns from and is tested on: labelled lists, augmented
// batches, views.
#pragma once

#include <memory>

#include "data/clip.h"
#include "data/finetune_dataset.h"
#include "data/view_dataset.h"
#include "tools/recipe.h"

namespace grimace {

// The labelled clips of `file` with the recipe's classes: data.classes, or model.classes numbers,
// or those that the list has. How many rows have no label is told to the log. Error naming the line
// of a label that is none of the classes.
LabelledClips labelled_clips(const Recipe& recipe, const std::string& file);

// How data check reads such clips.
ClipConfig clip_check_config(const Recipe& recipe);

std::unique_ptr<FinetuneDataset> finetune_batches(const Recipe& recipe, LabelledClips clips);

// Batches of optim.batch_size views.
enum class Views { validation, test };
std::unique_ptr<ViewDataset> views(const Recipe& recipe, LabelledClips clips, Views kind);

}  // namespace grimace
