// grimace graph: look at the graph of a model, as built or after any pass, and keep it in a file.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "ir/dot.h"
#include "ir/op_def.h"
#include "ir/text.h"
#include "runtime/graph_file.h"
#include "tools/commands.h"
#include "tools/graph_stats.h"
#include "tools/model_source.h"
#include "tools/onnx_file.h"
#include "tools/recipe_model.h"
#include "tools/table.h"

namespace grimace {
namespace {

struct Options {
  std::string model = "mae-dfer-pretrain";
  std::string config = {};
  std::vector<std::string> pairs = {};
  int64_t batch_size = 0;  // 0: the recipe's
  bool train = false;
  std::string after = {};
  bool json = false;
  bool print = false;
  bool dot = false;
  std::string file = {};
};

void put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

Recipe recipe_of(const ModelSource& source, const Options& options) {
  std::vector<std::string> pairs;
  if (options.batch_size > 0) pairs.push_back(cat("optim.batch_size=", options.batch_size));
  pairs.insert(pairs.end(), options.pairs.begin(), options.pairs.end());
  return source.recipe(options.config, pairs);
}

// The graph that was asked for, before any pass, and the passes that are its way to a backend.
struct Subject {
  std::string label;
  std::unique_ptr<Graph> graph;
  std::vector<PipelineStep> steps;
};

Subject open_subject(const Options& options) {
  ModelSource source = open_model_source(options.model);
  const bool plain = options.config.empty() && options.pairs.empty() && options.batch_size == 0;
  if (source.graph && plain && !options.train)
    return {source.label, std::move(source.graph), forward_pipeline()};
  const Recipe recipe = recipe_of(source, options);
  if (options.train) return {source.label, loss_graph(recipe), training_pipeline(recipe)};
  return {source.label, forward_graph(recipe, recipe.optim.batch_size, false), forward_pipeline()};
}

// As built, or after the pass named by --after. A training step is built by one of its steps.
std::unique_ptr<Graph> open_graph(const Options& options) {
  Subject subject = open_subject(options);
  const std::string until = options.train && options.after.empty() ? "train_step" : options.after;
  if (!until.empty()) run_pipeline(*subject.graph, subject.steps, until);
  return std::move(subject.graph);
}

int run_print(const Options& options) {
  put(print(*open_graph(options)));
  return 0;
}

int run_dot(const Options& options) {
  put(to_dot(*open_graph(options)));
  return 0;
}

int run_stats(const Options& options) {
  ModelSource source = open_model_source(options.model);
  GraphStats stats;
  if (source.graph) {
    if (!options.config.empty() || !options.pairs.empty() || options.batch_size > 0)
      recipe_of(source, options);  // says why not
    stats = graph_stats(*source.graph, source.label);
  } else {
    stats = model_stats(recipe_of(source, options));
    stats.model = source.label;
  }
  put(options.json ? stats_json(stats) : stats_text(stats));
  return 0;
}

nlohmann::ordered_json summary_json(const Graph& graph) {
  nlohmann::ordered_json inputs = nlohmann::ordered_json::array();
  for (const Value& input : graph.inputs(Role::input))
    inputs.push_back({{"name", input.name()}, {"type", to_string(input.type())}});
  nlohmann::ordered_json outputs = nlohmann::ordered_json::array();
  for (const Output& output : graph.outputs())
    outputs.push_back({{"name", output.name}, {"type", to_string(output.value.type())}});
  int64_t parameters = 0;
  for (const Value& param : graph.inputs(Role::param)) parameters += param.type().numel();
  return {{"graph", graph.name()},
          {"nodes", node_count(graph)},
          {"inputs", inputs},
          {"parameters", parameters},
          {"parameter_tensors", graph.inputs(Role::param).size()},
          {"states", graph.inputs(Role::state).size()},
          {"constants", graph.inputs(Role::constant).size()},
          {"outputs", outputs},
          {"updates", graph.updates().size()},
          {"macs", total_macs(graph)}};
}

// The same for people.
std::string summary_text(const nlohmann::ordered_json& summary) {
  const auto number = [&](const char* key) { return grouped(summary[key].get<int64_t>()); };
  std::string text = cat("graph ", summary["graph"].get<std::string>(), ": ", number("nodes"),
                         " nodes, ", number("macs"), " MACs a run\n");
  for (const auto& [key, kind] : {std::pair("inputs", "  input   "), {"outputs", "  output  "}})
    for (const auto& value : summary[key])
      text += cat(kind, value["name"].get<std::string>(), " : ", value["type"].get<std::string>(),
                  "\n");
  return text + cat("  ", number("parameters"), " parameters in ", number("parameter_tensors"),
                    " tensors, ", number("states"), " states, ", number("constants"),
                    " constants, ", number("updates"), " updates\n");
}

int run_save(const Options& options) {
  const auto graph = open_graph(options);
  save_graph(*graph, options.file);
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(options.file));
  nlohmann::ordered_json summary = summary_json(*graph);
  summary["file"] = options.file;
  summary["bytes"] = bytes;
  put(options.json ? summary.dump(2) + "\n"
                   : summary_text(summary) +
                         cat("written to ", options.file, ", ", bytes_text(bytes), "\n"));
  return 0;
}

int run_load(const Options& options) {
  const auto graph = load_graph(options.file);  // verifies
  const auto summary = summary_json(*graph);
  if (options.print || options.dot)
    put(options.print ? print(*graph) : to_dot(*graph));
  else
    put(options.json ? summary.dump(2) + "\n"
                     : summary_text(summary) + options.file + ": verified\n");
  return 0;
}

int run_passes_command(const Options& options) {
  const Subject subject = open_subject(options);
  Table table({"pass", "fired", "ms", "nodes before", "nodes after", "MACs"});
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  run_pipeline(
      *subject.graph, subject.steps, options.after.empty() ? "all" : options.after,
      [&](const StepReport& step, const Graph& graph) {
        const bool show = options.print && step.fired > 0;
        table.row({step.name, grouped(step.fired), fixed(step.milliseconds, 2),
                   grouped(step.nodes_before), grouped(step.nodes_after), grouped(step.macs)});
        json.push_back({{"pass", step.name},
                        {"fired", step.fired},
                        {"milliseconds", step.milliseconds},
                        {"nodes_before", step.nodes_before},
                        {"nodes_after", step.nodes_after},
                        {"macs", step.macs}});
        if (show && options.json) json.back()["ir"] = print(graph);
        if (show && !options.json)
          put(cat("# after ", step.name, ", which fired ", step.fired, " times\n", print(graph),
                  "\n"));
      });
  put(options.json ? json.dump(2) + "\n" : subject.label + "\n" + table.text());
  return 0;
}

int run_export(const Options& options) {
  const ModelSource source = open_model_source(options.model);
  const Recipe recipe = source.recipe(options.config, options.pairs);
  put(write_onnx_file(options.file, source, recipe, options.batch_size) + "\n");
  return 0;
}

using Run = int (*)(const Options&);

class Commands {
 public:
  Commands(CLI::App& graph, Action& action) : graph_(graph), action_(action) {}

  // A subcommand on a model, with what every one of them takes.
  CLI::App* on_model(const char* name, const char* help, Run run) {
    CLI::App* command = add(name, help, run);
    Options& o = *options_;
    command
        ->add_option("--model", o.model,
                     "a model's name, a run folder, a checkpoint, a saved graph or a text graph")
        ->type_name("NAME|RUN|FILE")
        ->capture_default_str();
    command->add_option("--config", o.config, "recipe file that describes the model")
        ->type_name("TOML");
    command->add_option("--set", o.pairs, "override one recipe key: --set model.region=2,2,10")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    command->add_option("--batch-size", o.batch_size, "clips (default: the recipe's)")
        ->check(CLI::Range(1, 65536).description(""))
        ->type_name("N");
    return command;
  }
  void stages(CLI::App* command) {
    command->add_flag("--train", options_->train,
                      "the whole training step: forward, backward, optimizer");
    command
        ->add_option("--after", options_->after,
                     "as it is after this pass, or after all (default: as built)")
        ->type_name("PASS|all");
  }
  void json(CLI::App* command) { command->add_flag("--json", options_->json, "print JSON"); }
  void file(CLI::App* command, const char* help) {
    command->add_option("file", options_->file, help)->required();
  }
  CLI::App* add(const char* name, const char* help, Run run) {
    options_ = std::make_shared<Options>();
    CLI::App* command = graph_.add_subcommand(name, help);
    command->callback([options = options_, run, &action = action_] {
      action = [options, run] { return run(*options); };
    });
    return command;
  }
  Options& options() { return *options_; }  // of the subcommand added last

 private:
  CLI::App& graph_;
  Action& action_;
  std::shared_ptr<Options> options_;
};

}  // namespace

void add_graph(CLI::App& app, Action& action) {
  CLI::App* graph = app.add_subcommand("graph", "Look at the graph of a model: IR, passes, costs");
  graph->require_subcommand(1);
  Commands commands(*graph, action);

  CLI::App* text = commands.on_model("print", "Print the IR as text", run_print);
  commands.stages(text);
  CLI::App* dot = commands.on_model("dot", "Draw the graph: print it for Graphviz", run_dot);
  commands.stages(dot);
  dot->footer("A picture: grimace graph dot --model NAME | dot -Tsvg > graph.svg");

  CLI::App* stats = commands.on_model(
      "stats", "Count parameters, multiply-accumulates, nodes and planned memory", run_stats);
  commands.json(stats);

  CLI::App* passes =
      commands.on_model("passes", "Run the passes and show what each one did", run_passes_command);
  commands.stages(passes);
  commands.json(passes);
  passes->add_flag("--print", commands.options().print,
                   "print the IR after every pass that changed something");

  CLI::App* save =
      commands.on_model("save", "Write the graph to a file that stands alone", run_save);
  commands.file(save, "where to write it");
  commands.stages(save);
  commands.json(save);

  CLI::App* onnx = commands.on_model(
      "export", "Write a classifier with its weights as ONNX, for inference elsewhere", run_export);
  commands.options().model = "mae-dfer-classifier";
  onnx->get_option("--model")->capture_default_str();
  onnx->get_option("--batch-size")->description("clips of a run (default: any number)");
  onnx->add_option("--onnx", commands.options().file, "where to write it")
      ->required()
      ->type_name("FILE");

  CLI::App* load = commands.add("load", "Read a saved graph, verify it and sum it up", run_load);
  commands.file(load, "a file written by graph save");
  commands.json(load);
  auto* as_text = load->add_flag("--print", commands.options().print, "print the IR instead");
  load->add_flag("--dot", commands.options().dot, "print it for Graphviz instead")
      ->excludes(as_text);
}

}  // namespace grimace
