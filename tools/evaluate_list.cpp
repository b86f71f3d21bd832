#include "tools/evaluate_list.h"

#include "runtime/atomic_file.h"
#include "runtime/checkpoint.h"
#include "runtime/log.h"
#include "tools/count_progress.h"
#include "tools/new_folders.h"
#include "tools/recipe_model.h"
#include "tools/view_classifier.h"

namespace grimace {
namespace {

// The model's recipe, with what is evaluated in place of what it was trained on.
Recipe evaluation_recipe(const EvaluationSettings& settings, const ModelSource& source) {
  std::vector<std::string> pairs{"data.root=" + settings.root,
                                 cat("optim.batch_size=", settings.batch_size)};
  if (!settings.classes.empty()) pairs.push_back("data.classes=" + settings.classes);
  pairs.insert(pairs.end(), settings.pairs.begin(), settings.pairs.end());
  Recipe recipe = source.recipe("", pairs);
  check(is_classifier(recipe.model.name), source.file.string(),
        ": holds a pre-training model, which knows no classes; make a classifier of it first: "
        "grimace finetune --init ",
        source.file.string(), " --data LIST --out DIR");
  // A file without names has numbers: names of the list would come in an order of their own.
  if (recipe.data.classes.empty())
    recipe.data.classes = numbered_classes(model_config(recipe).classes);
  return recipe;
}

// Writes the parameters; the averaged ones where the file keeps them, unless `ema` says otherwise.
void load(Executable& executable, const NamedModel& model, const Weights& weights,
          std::optional<bool> ema) {
  load_parameters(executable, model, weights, LoadRule::all);
  for (const Value& param : executable.graph().inputs(Role::param)) {
    const std::string name = state_tensor(average_of(param.name()));
    check(weights.contains(name) || !ema.value_or(false), weights.path().string(),
          ": keeps no averaged parameters; train with --model-ema, or leave --ema out");
    if (weights.contains(name) && ema.value_or(true))
      executable.write(param.name(), weights.tensor(name).view());
  }
}

std::vector<ClipAnswer> classify(ViewClassifier& classifier, ViewDataset& views) {
  CountProgress progress("classifying", views.view_count());
  return classifier.classify(views, [&](int64_t done) { progress.update(done); });
}

void write_files(const Evaluation& evaluation, const std::filesystem::path& out) {
  write_text(out / "pred.csv", predictions_csv(evaluation));
  write_png(out / "confusion.png", confusion_picture(evaluation));
  write_text(out / kMetricsFile, metrics_json(evaluation));  // last: with it all are there
  inform(cat("wrote pred.csv, metrics.json and confusion.png in ", out.string()));
}

}  // namespace

Evaluation evaluate_list(const ModelSource& source, const EvaluationSettings& settings,
                         const std::filesystem::path& out) {
  const Recipe recipe = evaluation_recipe(settings, source);
  LabelledClips clips = labelled_clips(recipe, settings.list);
  Evaluation evaluation{.model = source.file.string(),
                        .list = settings.list,
                        .classes = recipe.data.classes,
                        .unlabelled = clips.unlabelled};
  NewFolders folders;
  if (!out.empty()) folders.make(out);
  ViewClassifier classifier(recipe, settings.backend,
                            {precision_from(settings.precision), settings.threads});
  load(classifier.executable(), {model_config(recipe), true}, open_weights(source.file),
       settings.ema);
  const auto dataset = views(recipe, std::move(clips), Views::test);
  evaluation.answers = classify(classifier, *dataset);
  evaluation.unreadable = std::ssize(dataset->bad_clips());
  const int64_t repeated =
      std::ssize(dataset->clips().labels) - evaluation.unreadable - std::ssize(evaluation.answers);
  if (repeated > 0) inform(cat(settings.list, ": ", repeated, " repeated clips count once"));
  if (!out.empty()) write_files(evaluation, out);
  return evaluation;
}

}  // namespace grimace
