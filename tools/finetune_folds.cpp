#include "tools/finetune_folds.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "runtime/atomic_file.h"
#include "runtime/json_text.h"
#include "runtime/log.h"
#include "tools/evaluate_list.h"
#include "tools/folds.h"
#include "tools/table.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

constexpr const char* kFoldsFile = "folds.json";

fs::path fold_list(const Recipe& recipe, int64_t fold, const char* list) {
  return fs::path(recipe.data.list) / fold_name(fold) / list;
}

// What the fold's run is trained with.
Recipe fold_recipe(Recipe recipe, int64_t fold) {
  const auto inside = [&](const std::string& folder) {
    return folder.empty() ? folder : (fs::path(folder) / fold_name(fold)).string();
  };
  recipe.data.list = fold_list(recipe, fold, kTrainList).string();
  recipe.data.fold = fold;
  recipe.run.out = inside(recipe.run.out);
  recipe.run.log_dir = inside(recipe.run.log_dir);
  return recipe;
}

// A bad list of the last fold should not be found when the others were trained.
void check_lists(const Recipe& recipe, const std::vector<int64_t>& folds) {
  std::vector<std::string> classes;
  for (const int64_t fold : folds)
    for (const char* list : {kTrainList, kTestList}) {
      const std::string file = fold_list(recipe, fold, list).string();
      const LabelledClips clips = labelled_clips(recipe, file);
      if (classes.empty()) classes = clips.classes;
      check(clips.classes == classes, file, ": its classes are not those of the lists before it; ",
            "name them: --classes a,b,...");
    }
}

// The confusion matrix of an earlier test, if it is of this model and list and newer than both, and
// was done alike.
std::optional<ConfusionMatrix> earlier_test(const fs::path& file, const std::string& model,
                                            const std::string& list, const EvaluatedOn& on,
                                            int64_t classes) {
  try {
    const auto time = fs::last_write_time(file);
    if (time < fs::last_write_time(model) || time < fs::last_write_time(list)) return std::nullopt;
    const auto json = read_json(file);
    if (json.at("model") != model || json.at("list") != list || evaluated_on(json) != on)
      return std::nullopt;
    return confusion_from_json(json, classes, file.string());
  } catch (const std::exception&) {  // absent or damaged
    return std::nullopt;
  }
}

ConfusionMatrix test_fold(const Recipe& recipe, int64_t fold) {
  const fs::path run = fs::path(recipe.run.out) / fold_name(fold);
  const ModelSource source = open_model_source(run.string());
  const std::string list = fold_list(recipe, fold, kTestList).string();
  const EvaluationSettings settings{
      .list = list,
      .root = recipe.data.root,
      .on = run_on(recipe),
      .pairs = {cat("data.test_num_segment=", recipe.data.test_num_segment),
                cat("data.test_num_crop=", recipe.data.test_num_crop),
                cat("data.workers=", recipe.data.workers),
                cat("data.max_bad=", recipe.data.max_bad)}};
  const int64_t classes = source.recipe("", {}).model.classes;
  if (auto matrix = earlier_test(run / kMetricsFile, source.file.string(), list,
                                 evaluated_on(settings, recipe), classes))
    return *matrix;
  return evaluate_list(source, settings, run).matrix();
}

}  // namespace

int finetune_folds(const Recipe& recipe, const std::vector<int64_t>& folds, bool dry,
                   const std::function<int(const Recipe&)>& train) {
  check_lists(recipe, folds);
  std::vector<FoldScore> scores;
  for (const int64_t fold : folds) {
    inform(cat("fold ", fold, " of ", recipe.data.list));
    if (const int code = train(fold_recipe(recipe, fold)); code != 0) return code;
    if (!dry) scores.push_back({fold, test_fold(recipe, fold)});
  }
  if (dry) return 0;
  std::printf("%s", fold_table(scores).c_str());
  if (folds.size() > 1) write_text(fs::path(recipe.run.out) / kFoldsFile, folds_json(scores));
  return 0;
}

}  // namespace grimace
