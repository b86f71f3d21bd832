// grimace report: what runs, evaluate, reconstruct and predict left behind, as one HTML page.
#include <CLI/CLI.hpp>

#include "ir/error.h"
#include "runtime/atomic_file.h"
#include "runtime/log.h"
#include "tools/commands.h"
#include "tools/report_page.h"

namespace grimace {
namespace {

struct Options {
  std::vector<std::string> inputs;
  std::string out;
  std::string title = "Grimace";
};

int run(const Options& options) {
  ReportData report;
  for (const std::string& input : options.inputs) add_to_report(report, input);
  write_text(options.out, report_page(report, options.title));
  inform(cat("wrote ", options.out, ": ", report.trainings.size(), " runs, ",
             report.evaluations.size(), " evaluations, ", report.pictures.size(), " pictures, ",
             report.timelines.size(), " timelines"));
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "report", "One HTML page of runs: curves, confusion, pictures, expressions over time");
  command
      ->add_option("inputs", options->inputs,
                   "run folders, folders of evaluate, .png pictures, .jsonl files of predict")
      ->required()
      ->type_name("RUN|FILE ...");
  command->add_option("--out", options->out, "the page; it needs no other file")
      ->required()
      ->type_name("HTML");
  command->add_option("--title", options->title, "its heading")->capture_default_str();
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
