// From a recipe's settings to the structs the other folders take.
#pragma once

#include <memory>

#include "autodiff/train_step.h"
#include "data/loading.h"
#include "data/masks.h"
#include "data/mixup.h"
#include "models/classifier.h"
#include "models/masked_autoencoder.h"
#include "runtime/schedule.h"
#include "tools/recipe.h"

namespace grimace {

ModelConfig model_config(const Recipe& recipe);
TargetConfig target_config(const Recipe& recipe);
MaskConfig mask_config(const Recipe& recipe);  // on the model's token grid
MixupConfig mixup_config(const Recipe& recipe);
LoadingConfig loading_config(const Recipe& recipe);  // warnings go to the log
TrainStepOptions train_step_options(const Recipe& recipe);
// How each parameter of a recipe's graph is trained: decayed or not, and how fast (spec 6, 7.4).
std::map<std::string, ParamRule> param_rules(const Recipe& recipe, const Graph& graph);
// Rates scaled by the total batch, steps from the epochs (spec 6).
Schedule schedule(const Recipe& recipe, int64_t batches_per_epoch);

// The forward graph of a recipe's model, pre-training or classifier, with its outputs: "pred" (and
// "loss") or "logits" (and "feature"). `training` adds the loss, of a classifier against soft
// targets where mixing is on, and switches drop path on.
std::unique_ptr<Graph> forward_graph(const Recipe& recipe, int64_t batch, bool training);

// loss_graph -> forward passes -> add_train_step -> training passes.
std::unique_ptr<Graph> training_graph(const Recipe& recipe);
// Its parts: the forward graph with the loss as its only output; and gradients, clipping, AdamW.
std::unique_ptr<Graph> loss_graph(const Recipe& recipe);
void add_train_step(Graph& graph, const Recipe& recipe);

}  // namespace grimace
