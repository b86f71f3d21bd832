// grimace finetune: trains a classifier on a list of labelled clips, from scratch or from a
// pre-trained encoder (spec 7); or on the folds of a data set, one after the other.
#include <CLI/CLI.hpp>

#include "tools/commands.h"
#include "tools/finetune_data.h"
#include "tools/finetune_folds.h"
#include "tools/folds.h"
#include "tools/model_source.h"
#include "tools/recipe_keys.h"
#include "tools/recipe_model.h"
#include "tools/training_run.h"
#include "tools/validation.h"

namespace grimace {
namespace {

constexpr const char* kModel = "mae-dfer-classifier";  // where neither flags nor --init choose

// Settings that a classifier does not take from the run that pre-trained its encoder.
bool is_own_setting(const std::string& key) {
  return key == "model.name" || key == "model.drop_path" || key == "model.classes" ||
         key == "model.classify_token";
}

// A classifier around the encoder in `init`.
Settings architecture_of(const std::string& init) {
  std::error_code ignored;
  check(std::filesystem::exists(init, ignored), "--init ", init, ": no such file or folder");
  const ModelSource source = open_model_source(init);
  check(source.kind == ModelSource::Kind::checkpoint, "--init ", init,
        ": holds no weights; expected a run folder, a .safetensors or a .pth file");
  const Recipe recipe = source.recipe("", {});
  std::string toml =
      cat("[model]\nname = \"", recipe.model.attn_type == "joint" ? "videomae" : "mae-dfer",
          "-classifier\"\n");
  const std::string group = "model.";
  for (const Key& key : recipe_keys())
    if (key.name.starts_with(group) && !is_own_setting(key.name))
      toml +=
          cat(key.name.substr(group.size()), " = ", value_to_toml(get_value(key, recipe)), "\n");
  Settings settings;
  settings.read_toml(toml, init);
  return settings;
}

// Flags and --config come after what --init says.
Recipe finetune_recipe(const TrainingFlags& flags) {
  Settings base;
  base.set("model.name", kModel, "finetune");
  const std::string init = flags.init(base);
  Recipe recipe = flags.resolve(init.empty() ? base : architecture_of(init));
  check(is_classifier(recipe.model.name), "model.name: '", recipe.model.name,
        "' is a pre-training model; finetune takes mae-dfer-classifier or videomae-classifier");
  flags.require(recipe, "finetune");
  return recipe;
}

// From now on the recipe names its classes, so that the run folder tells what the answers mean.
void take_classes(Recipe& recipe, const LabelledClips& clips) {
  const std::string where = clips.list.file.string();
  check(clips.classes.size() >= 2, where, ": all clips are of one class, '", clips.classes.front(),
        "'; nothing can be told apart");
  recipe.data.classes = clips.classes;
  recipe.model.classes = std::ssize(clips.classes);
  for (const std::string& name : clips.classes)
    check(is_toml_text(name), where, ": the class name '", name, "' is not UTF-8");
}

int train(Recipe recipe, const TrainingFlags& flags) {
  TrainingJob job{.recipe = std::move(recipe)};
  LabelledClips clips = labelled_clips(job.recipe, job.recipe.data.list);
  take_classes(job.recipe, clips);
  job.list = clips.list;
  job.clip = clip_check_config(job.recipe);
  job.batches = finetune_batches(job.recipe, std::move(clips));
  if (!job.recipe.data.val.empty()) {
    auto validation =
        std::make_shared<Validation>(job.recipe, labelled_clips(job.recipe, job.recipe.data.val));
    job.epoch_done = [validation](Trainer& trainer, int64_t epoch) {
      validation->after_epoch(trainer, epoch);
    };
  }
  return run_training(std::move(job), flags);
}

// A folder that holds train.csv stands for it, as in the authors' program, and its val.csv for the
// list to validate on; never its test.csv, by which nothing is to be chosen.
void take_lists_of_folder(Recipe::Data& data) {
  const std::filesystem::path folder = data.list;
  std::error_code ignored;
  if (data.fold > 0 || !std::filesystem::is_regular_file(folder / kTrainList, ignored)) return;
  data.list = (folder / kTrainList).string();
  if (data.val.empty() && std::filesystem::is_regular_file(folder / kValidationList, ignored))
    data.val = (folder / kValidationList).string();
}

// The folds that are asked for; none where the list is one of clips.
std::vector<int64_t> chosen_folds(const Recipe& recipe, const std::string& folds) {
  const Recipe::Data& data = recipe.data;
  std::error_code ignored;
  if (folds.empty() && data.fold == 0) {
    check(!std::filesystem::is_directory(data.list, ignored), data.list, ": is a folder without ",
          kTrainList, "; train on its folds with --fold K or --folds all");
    return {};
  }
  check(folds.empty() || data.fold == 0, "--fold ", data.fold, " and --folds ", folds,
        ": give one of the two");
  check(folds.empty() || recipe.run.resume == "auto" || recipe.run.resume == "none", "--resume ",
        recipe.run.resume, ": is one run; --folds continues that of each fold by itself");
  return choose_folds(data.list, folds.empty() ? std::to_string(data.fold) : folds, data.folds);
}

struct Flags {
  explicit Flags(CLI::App& command) : training(command, kModel) {
    command
        .add_option("--folds", folds,
                    "all, or numbers 1,2: train and test on each of these folds of --data, in OUT/"
                    "fold-K; then the mean")
        ->type_name("FOLDS");
  }
  TrainingFlags training;
  std::string folds = {};
};

int run(const Flags& flags) {
  Recipe recipe = finetune_recipe(flags.training);
  if (flags.folds.empty()) take_lists_of_folder(recipe.data);
  const std::vector<int64_t> folds = chosen_folds(recipe, flags.folds);
  if (folds.empty()) return train(recipe, flags.training);
  return finetune_folds(recipe, folds, flags.training.dry_run > 0,
                        [&](const Recipe& fold) { return train(fold, flags.training); });
}

}  // namespace

void add_finetune(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("finetune", "Train a classifier of expressions on labelled clips");
  auto flags = std::make_shared<Flags>(*command);
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace grimace
