#include "tools/evaluate_list.h"

#include "runtime/atomic_file.h"
#include "runtime/log.h"
#include "tools/count_progress.h"
#include "tools/new_folders.h"
#include "tools/view_classifier.h"

namespace grimace {
namespace {

std::vector<ClipAnswer> classify(ViewClassifier& classifier, ViewDataset& views) {
  CountProgress progress("classifying", views.view_count());
  return classifier.classify(views, [&](int64_t done) { progress.update(done); });
}

void write_files(const Evaluation& evaluation, const std::filesystem::path& out) {
  write_text(out / "pred.csv", predictions_csv(evaluation));
  write_text(out / "views.txt", views_text(evaluation));
  write_png(out / "confusion.png", confusion_picture(evaluation));
  write_text(out / kMetricsFile, metrics_json(evaluation));  // last: with it all are there
  inform(cat("wrote pred.csv, views.txt, metrics.json and confusion.png in ", out.string()));
}

}  // namespace

EvaluatedOn evaluated_on(const EvaluationSettings& settings, const Recipe& recipe) {
  return {.root = settings.root,
          .backend = settings.on.backend,
          .precision = settings.on.precision,
          .test_num_segment = recipe.data.test_num_segment,
          .test_num_crop = recipe.data.test_num_crop};
}

Evaluation evaluate_list(const ModelSource& source, const EvaluationSettings& settings,
                         const std::filesystem::path& out) {
  std::vector<std::string> pairs{"data.root=" + settings.root};
  pairs.insert(pairs.end(), settings.pairs.begin(), settings.pairs.end());
  const Recipe recipe =
      classifier_recipe(source, "evaluate", settings.batch_size, settings.classes, pairs);
  LabelledClips clips = labelled_clips(recipe, settings.list);
  Evaluation evaluation{.model = source.file.string(),
                        .list = settings.list,
                        .on = evaluated_on(settings, recipe),
                        .classes = recipe.data.classes,
                        .unlabelled = clips.unlabelled};
  NewFolders folders;
  if (!out.empty()) folders.make(out);
  ViewClassifier classifier(recipe, settings.on.backend, settings.on.options());
  classifier.load(open_weights(source.file), settings.ema);
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
