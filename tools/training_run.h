// The life of a training run, whatever is trained: its folder, fresh or earlier parameters, what it
// will need, checkpoints, Ctrl-C, a dry run, a profile.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "data/clip.h"
#include "data/list_file.h"
#include "runtime/trainer.h"
#include "tools/recipe_flags.h"

namespace grimace {

// What differs between pre-training and fine-tuning.
struct TrainingJob {
  Recipe recipe = {};
  ListFile list = {};    // its clips are counted, and in a dry run opened
  ClipConfig clip = {};  // how a dry run reads them
  std::unique_ptr<BatchSource> batches = nullptr;
  // After every epoch of a run, not in a dry run.
  std::function<void(Trainer& trainer, int64_t epoch)> epoch_done = {};
};

// The options of a training command: the recipe's, --dry-run and --profile.
class TrainingFlags {
 public:
  TrainingFlags(CLI::App& command, const std::string& model);  // the help names its defaults

  // The recipe as RecipeFlags::resolve gives it. Warnings go to the log.
  Recipe resolve(Settings base = {}) const;
  // Its run.init alone, without a word.
  std::string init(Settings base) const { return recipe_.resolve(std::move(base)).recipe.run.init; }
  // Error unless the recipe is sound and names a list and, unless in a dry run, a run folder.
  void require(const Recipe& recipe, const std::string& command) const;

  int64_t dry_run = 0;       // steps; 0: a run
  std::string profile = {};  // file; empty: none

 private:
  RecipeFlags recipe_;
};

// Runs it and returns the exit code. A run that is refused leaves no folder behind.
int run_training(TrainingJob job, const TrainingFlags& flags);

}  // namespace grimace
