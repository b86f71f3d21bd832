// grimace evaluate: a classifier on a labelled list, each clip by several views (spec 8.6, 8.7, 9).
#include <CLI/CLI.hpp>
#include <cstdio>

#include "runtime/atomic_file.h"
#include "runtime/log.h"
#include "tools/commands.h"
#include "tools/count_progress.h"
#include "tools/evaluation_report.h"
#include "tools/finetune_data.h"
#include "tools/model_source.h"
#include "tools/new_folders.h"
#include "tools/view_classifier.h"

namespace grimace {
namespace {

struct Options {
  std::string model;
  std::string list;
  std::string root;
  std::string classes;
  std::string out;
  std::string backend = "cpu";
  std::string precision = "f32";
  std::vector<std::string> pairs;
  int threads = 0;
  int64_t batch_size = 8;
  bool ema = false;
};

std::vector<ClipAnswer> classify(ViewClassifier& classifier, ViewDataset& views) {
  CountProgress progress("classifying", views.view_count());
  return classifier.classify(views, [&](int64_t done) { progress.update(done); });
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void write_files(const Evaluation& evaluation, const std::filesystem::path& out) {
  write_text(out / "pred.csv", predictions_csv(evaluation));
  write_text(out / "metrics.json", metrics_json(evaluation));
  write_png(out / "confusion.png", confusion_picture(evaluation));
  inform(cat("wrote pred.csv, metrics.json and confusion.png in ", out.string()));
}

int run(const Options& options) {
  const ModelSource source = open_model_source(options.model);
  std::vector<std::string> pairs{"data.root=" + options.root};
  pairs.insert(pairs.end(), options.pairs.begin(), options.pairs.end());
  const Recipe recipe =
      classifier_recipe(source, "evaluate", options.batch_size, options.classes, pairs);
  LabelledClips clips = labelled_clips(recipe, options.list);
  Evaluation evaluation{.model = source.file.string(),
                        .list = options.list,
                        .classes = recipe.data.classes,
                        .unlabelled = clips.unlabelled};
  NewFolders folders;
  if (!options.out.empty()) folders.make(options.out);
  ViewClassifier classifier(recipe, options.backend,
                            {precision_from(options.precision), options.threads});
  classifier.load(open_weights(source.file), options.ema);
  const auto dataset = views(recipe, std::move(clips), Views::test);
  evaluation.answers = classify(classifier, *dataset);
  evaluation.unreadable = std::ssize(dataset->bad_clips());
  const int64_t repeated =
      std::ssize(dataset->clips().labels) - evaluation.unreadable - std::ssize(evaluation.answers);
  if (repeated > 0) inform(cat(options.list, ": ", repeated, " repeated clips count once"));
  std::printf("%s on %s: %zu clips\n\n%s", source.label.c_str(), options.list.c_str(),
              evaluation.answers.size(), evaluation_table(evaluation).c_str());
  if (!options.out.empty()) write_files(evaluation, options.out);
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "evaluate", "Test a classifier on labelled clips: UAR, WAR, F1, confusion");
  command->add_option("--data", options->list, "list of labelled clips")
      ->required()
      ->type_name("LIST");
  command
      ->add_option("--model", options->model,
                   "run folder (its newest checkpoint), checkpoint, .safetensors or .pth file")
      ->required();
  command->add_option("--out", options->out, "folder for pred.csv, metrics.json, confusion.png")
      ->type_name("DIR");
  command->add_option("--classes", options->classes,
                      "names of the classes, commas between (default: the model's)");
  command->add_option("--root", options->root, "where relative paths start (default: at the list)")
      ->type_name("DIR");
  command->add_option("--set", options->pairs, "override a recipe key: data.test_num_segment=4")
      ->allow_extra_args(false);
  command->add_option("--batch-size", options->batch_size, "views computed at once")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_flag("--ema", options->ema, "the averaged parameters of a run with --model-ema");
  command->add_option("--backend", options->backend, "cpu or reference")->capture_default_str();
  command->add_option("--precision", options->precision, "f32, bf16 or f64")->capture_default_str();
  command->add_option("--threads", options->threads, "0: all cores")->check(CLI::Range(0, 1024));
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
