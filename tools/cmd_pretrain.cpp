// grimace pretrain: trains a masked autoencoder on a list of clips.
#include <CLI/CLI.hpp>

#include "tools/commands.h"
#include "tools/pretrain_data.h"
#include "tools/recipe_keys.h"
#include "tools/training_run.h"

namespace grimace {
namespace {

// A setting that changes nothing would be believed to.
void refuse_classifier_settings(const Recipe& recipe) {
  for (const Key& key : recipe_keys()) {
    const SettingValue value = get_value(key, recipe);
    check(!key.classifier_only || value == get_value(key, Recipe()), key.name, " = ",
          value_to_toml(value), ": pretrain has no use for it; it is a setting of finetune");
  }
}

int run(const TrainingFlags& flags) {
  TrainingJob job{.recipe = flags.resolve()};
  const Recipe& recipe = job.recipe;
  check(!is_classifier(recipe.model.name), "model.name: '", recipe.model.name,
        "' is a classifier; pretrain takes mae-dfer-pretrain or videomae-pretrain");
  refuse_classifier_settings(recipe);
  flags.require(recipe, "pretrain");
  job.list = training_list(recipe);
  job.clip = clip_config(recipe, job.list);
  job.batches = training_batches(recipe, job.list);
  return run_training(std::move(job), flags);
}

}  // namespace

void add_pretrain(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("pretrain", "Train a masked autoencoder on a list of face clips");
  auto flags = std::make_shared<TrainingFlags>(*command, "mae-dfer-pretrain");
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace grimace
