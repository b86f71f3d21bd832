// grimace evaluate: a classifier on a labelled list, each clip by several views (spec 8.6, 8.7, 9);
// or the classifiers of several folds, each on the list it is to be tested on.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tools/commands.h"
#include "tools/evaluate_list.h"
#include "tools/folds.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

struct Options {
  std::string model = {};
  std::string out = {};
  std::string folds = {};
  EvaluationSettings settings = {};
};

Evaluation evaluate(const std::string& model, const EvaluationSettings& settings,
                    const fs::path& out) {
  const ModelSource source = open_model_source(model);
  Evaluation evaluation = evaluate_list(source, settings, out);
  std::printf("%s on %s: %zu clips\n\n%s", source.label.c_str(), settings.list.c_str(),
              evaluation.answers.size(), evaluation_table(evaluation).c_str());
  return evaluation;
}

int run(const Options& options) {
  if (options.folds.empty()) {
    evaluate(options.model, options.settings, options.out);
    return 0;
  }
  std::vector<FoldScore> scores;
  for (const int64_t fold : choose_folds(options.settings.list, options.folds, 0)) {
    EvaluationSettings settings = options.settings;
    settings.list = (fs::path(options.settings.list) / fold_name(fold) / kTestList).string();
    const std::string model = (fs::path(options.model) / fold_name(fold)).string();
    const fs::path out = options.out.empty() ? fs::path() : options.out / fs::path(fold_name(fold));
    scores.push_back({fold, evaluate(model, settings, out).matrix()});
    std::printf("\n");
  }
  std::printf("%s", fold_table(scores).c_str());
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  EvaluationSettings& settings = options->settings;
  CLI::App* command = app.add_subcommand(
      "evaluate", "Test a classifier on labelled clips: UAR, WAR, F1, confusion");
  command->add_option("--data", settings.list, "list of labelled clips")
      ->required()
      ->type_name("LIST");
  command
      ->add_option("--model", options->model,
                   "run folder (its newest checkpoint), checkpoint, .safetensors or .pth file")
      ->required();
  command
      ->add_option("--folds", options->folds,
                   "all, or numbers 1,2: test MODEL/fold-K on LIST/fold-K/test.csv")
      ->type_name("FOLDS");
  command
      ->add_option("--out", options->out,
                   "folder for pred.csv, views.txt, metrics.json, confusion.png")
      ->type_name("DIR");
  command->add_option("--classes", settings.classes,
                      "names of the classes, commas between (default: the model's)");
  command->add_option("--root", settings.root, "where relative paths start (default: at the list)")
      ->type_name("DIR");
  command->add_option("--set", settings.pairs, "override a recipe key: data.test_num_segment=4")
      ->allow_extra_args(false);
  command->add_option("--batch-size", settings.batch_size, "views computed at once")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_flag_function(
      "--ema,!--no-ema", [&settings](int64_t given) { settings.ema = given > 0; },
      "the averaged parameters, or not (default: where the run kept some)");
  add_run_on(*command, settings.on);
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
