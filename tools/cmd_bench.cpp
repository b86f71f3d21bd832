// grimace bench: how fast this machine computes a step of a model, with random weights and input.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "ir/op_def.h"
#include "runtime/atomic_file.h"
#include "tools/commands.h"
#include "tools/graph_pipeline.h"
#include "tools/machine.h"
#include "tools/model_source.h"
#include "tools/peaks.h"
#include "tools/profile_report.h"
#include "tools/random_step.h"
#include "tools/recipe_model.h"
#include "tools/run_on.h"
#include "tools/table.h"

namespace grimace {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string model = "mae-dfer";
  std::string work = "pretrain";
  int64_t batch = 8;
  RunOn on = {};
  int64_t steps = 10;
  int64_t warmup = 2;
  std::string config = {};
  std::vector<std::string> pairs = {};
  bool json = false;
  bool measure_peak = false;
  std::string profile = {};
  int64_t rows = 40;
};

// The published settings of the work (spec sections 6 and 7.3), then the caller's.
Recipe recipe_of(const Options& options) {
  const bool pretrain = options.work == "pretrain";
  std::vector<std::string> pairs{cat("optim.batch_size=", options.batch)};
  if (options.work == "finetune")
    pairs.insert(pairs.end(), {"model.drop_path=0.1", "optim.betas=0.9,0.999"});
  pairs.insert(pairs.end(), options.pairs.begin(), options.pairs.end());
  const ModelSource source =
      open_model_source(options.model + (pretrain ? "-pretrain" : "-classifier"));
  return source.recipe(options.config, pairs);
}

std::unique_ptr<Graph> graph_of(const Recipe& recipe, const Options& options) {
  if (options.work != "inference") return training_graph(recipe);
  auto graph = forward_graph(recipe, recipe.optim.batch_size, false);
  run_pipeline(*graph, forward_pipeline());
  return graph;
}

// A step that is ready to run, with its weights and inputs.
struct Step {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Executable> executable = nullptr;
  double build_seconds = 0.0;  // graph, passes, memory plan, kernels
  int64_t clips = 0;
};

Step build_step(const Options& options) {
  const Recipe recipe = recipe_of(options);
  Step step{.backend = make_backend(options.on.backend), .clips = recipe.optim.batch_size};
  step.build_seconds = wall_seconds([&] {
    step.executable = step.backend->compile(*graph_of(recipe, options), options.on.options());
  });
  write_random_step(*step.executable, recipe);
  return step;
}

// A step whose gradients are not finite leaves the optimizer out, and would seem fast.
void check_applied(const Executable& step) {
  if (step.graph().find_output("applied") && step.read_scalar("applied") == 0.0)
    throw RunError(
        "the gradients of a step with random input are not finite; "
        "see grimace doctor and grimace verify");
}

// With a profile, every step that is timed is recorded there as well.
std::vector<double> time_steps(Executable& step, const Options& options, Profile* profile) {
  const auto run = [&] {
    step.run();
    step.wait();
  };
  for (int64_t i = 0; i < options.warmup; ++i) run();
  step.profile_into(profile);
  std::vector<double> seconds;
  for (int64_t i = 0; i < options.steps; ++i) seconds.push_back(wall_seconds(run));
  step.profile_into(nullptr);
  check_applied(step);
  return seconds;
}

double median(std::vector<double> samples) {
  std::ranges::sort(samples);
  const size_t count = samples.size();
  return (samples[(count - 1) / 2] + samples[count / 2]) / 2;
}

double megabytes(int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

// "avx512", from "cpu bf16, 2 threads, avx512, oneDNN 2.6.3"; "none" for a backend without.
std::string isa_of(const ExecutableInfo& info) {
  std::istringstream parts(info.backend);
  std::string part;
  for (int i = 0; i < 3; ++i)
    if (!std::getline(parts >> std::ws, part, ',')) return "none";
  return part;
}

ordered_json subject_json(const Step& step, const Options& options) {
  const ExecutableInfo& info = step.executable->info();
  return {{"work", options.work},
          {"model", options.model},
          {"precision", options.on.precision},
          {"batch", step.clips},
          {"threads", options.on.threads > 0 ? options.on.threads : this_machine().cores_usable},
          {"isa", isa_of(info)},
          {"backend", info.backend}};
}

// "mae-dfer pretrain, batch 8, cpu bf16, 2 threads, avx512, oneDNN 2.6.3"
std::string subject_text(const ordered_json& json) {
  return cat(json["model"].get<std::string>(), " ", json["work"].get<std::string>(), ", batch ",
             json["batch"].get<int64_t>(), ", ", json["backend"].get<std::string>(), "\n");
}

ordered_json step_json(const Step& step, const Options& options, const std::vector<double>& seconds,
                       int64_t peak_bytes) {
  const ExecutableInfo& info = step.executable->info();
  const double typical = median(seconds);
  double flops = 0.0;
  for (const Node& node : step.executable->graph().nodes())
    flops += static_cast<double>(flops_of(node));
  ordered_json json = subject_json(step, options);
  json.update({{"seconds", seconds},
               {"clips_per_s", static_cast<double>(step.clips) / typical},
               {"peak_mb", megabytes(peak_bytes)},
               {"planned_mb", megabytes(info.peak_bytes())},
               {"lower_bound_mb",
                megabytes(info.peak_bytes() - info.transient_bytes + info.lower_bound_bytes)},
               {"gflop_per_step", flops * 1e-9},
               {"gflops", flops * 1e-9 / typical},
               {"build_seconds", step.build_seconds},
               {"slow_nodes", info.slow_nodes}});
  return json;
}

// The same for people.
std::string step_text(const ordered_json& json) {
  const auto number = [&](const char* key, int digits) {
    return fixed(json[key].get<double>(), digits);
  };
  const auto seconds = json["seconds"].get<std::vector<double>>();
  const auto [least, most] = std::ranges::minmax(seconds);
  Table table(2, {0, 1});
  table.row({"step", cat(fixed(median(seconds) * 1e3, 1), " ms, median of ", seconds.size(), "; ",
                         fixed(least * 1e3, 1), " to ", fixed(most * 1e3, 1))});
  table.row({"speed", cat(number("clips_per_s", 2), " clips/s, ", number("gflops", 0), " GFLOP/s, ",
                          number("gflop_per_step", 1), " GFLOP a step")});
  if (json.contains("peak_gflops"))
    table.row({"ceiling",
               cat(number("peak_gflops", 0), " GFLOP/s in a large product; the step: ",
                   fixed(100 * json["gflops"].get<double>() / json["peak_gflops"].get<double>(), 1),
                   " %")});
  table.row({"memory", cat(number("peak_mb", 0), " MB at most; planned ", number("planned_mb", 0),
                           ", no plan below ", number("lower_bound_mb", 0))});
  table.row({"build", number("build_seconds", 2) + " s: graph, passes, plan, kernels"});
  for (const auto& node : json["slow_nodes"]) table.row({"no fast path", node.get<std::string>()});
  return subject_text(json) + table.text();
}

void put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

// What would be found out only after the steps.
void check_options(const Options& options) {
  check(!options.measure_peak || options.on.backend != "reference",
        "--measure-peak takes minutes on the reference backend, whose kernels are not to be fast; "
        "use --backend cpu");
  if (!options.profile.empty())
    ensure_writable_dir(std::filesystem::absolute(options.profile).parent_path());
}

int run_step(const Options& options) {
  check_options(options);
  const Step step = build_step(options);
  Profile profile(0, options.profile.empty() ? 0 : options.steps);
  const std::vector<double> seconds = time_steps(*step.executable, options, &profile);
  ordered_json json = step_json(step, options, seconds, peak_resident_bytes());
  if (options.measure_peak) {
    const DType dtype = options.on.precision == "bf16" ? DType::bf16 : DType::f32;
    json["peak_gflops"] = product_flops(*step.backend, dtype, options.on.options()) * 1e-9;
  }
  put(options.json ? json.dump() + "\n" : step_text(json));
  if (options.profile.empty()) return 0;
  write_trace(profile, options.profile);
  if (!options.json)
    put("\n" + profile_report(profile, peaks_worth_measuring(*step.backend, options.on.options())) +
        "\nwritten to " + options.profile + "; https://ui.perfetto.dev opens it\n");
  return 0;
}

ordered_json row_json(const ProfileRow& row) {
  return {{"op", row.name},
          {"types", row.types},
          {"count", row.count},
          {"ms", row.seconds * 1e3},
          {"gflops", row.flops * 1e-9 / row.seconds},
          {"gbytes_per_s", row.bytes * 1e-9 / row.seconds},
          {"roofline_percent", roofline_percent(row)}};
}

int run_ops(const Options& options) {
  const Step step = build_step(options);
  Profile profile(0, options.steps);
  time_steps(*step.executable, options, &profile);
  const auto peaks = peaks_worth_measuring(*step.backend, options.on.options());
  const ProfileTable table = profile_table(profile, GroupBy::shapes, peaks);
  ordered_json json = subject_json(step, options);
  if (!options.json) {
    put(subject_text(json) + profile_heading(profile, peaks) + "\n" +
        profile_text(table, GroupBy::shapes, static_cast<size_t>(options.rows)));
    return 0;
  }
  json["step_ms"] = table.total.seconds * 1e3;
  if (peaks)
    json["peaks"] = {{"f32_gflops", peaks->f32_flops * 1e-9},
                     {"bf16_gflops", peaks->bf16_flops * 1e-9},
                     {"gbytes_per_s", peaks->bytes * 1e-9}};
  json["rows"] = ordered_json::array();
  for (const ProfileRow& row : table.rows) json["rows"].push_back(row_json(row));
  put(json.dump() + "\n");
  return 0;
}

void add_options(CLI::App& command, Options& o) {
  const auto choice = [&](const char* flag, std::string& value, const char* help,
                          const std::vector<std::string>& known) {
    command.add_option(flag, value, help)->check(CLI::IsMember(known))->capture_default_str();
  };
  const auto number = [&](const char* flag, auto& value, const char* help, int least, int most) {
    command.add_option(flag, value, help)
        ->check(CLI::Range(least, most).description(""))
        ->type_name("N")
        ->capture_default_str();
  };
  choice("--model", o.model, "the published model", {"mae-dfer", "videomae"});
  choice("--work", o.work, "a training step of either kind, or the classifier's forward pass",
         {"pretrain", "finetune", "inference"});
  number("--batch", o.batch, "clips", 1, 65536);
  add_run_on(command, o.on);
  number("--memory-budget", o.on.memory_budget,
         "MiB that the plan may take, by computing values again; 0 = no limit", 0, 10000000);
  number("--steps", o.steps, "steps that are timed", 1, 1000000);
  number("--warmup", o.warmup, "steps before them", 0, 1000000);
  command.add_option("--config", o.config, "recipe file that changes the model")->type_name("TOML");
  command.add_option("--set", o.pairs, "override one recipe key: --set model.frames=32")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_flag("--json", o.json, "print JSON; MB are 2^20 bytes");
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand(
      "bench", "Measure the speed and memory of a step, with random weights and input");
  bench->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, int (*run)(const Options&)) {
    auto options = std::make_shared<Options>();
    CLI::App* command = bench->add_subcommand(name, help);
    add_options(*command, *options);
    command->callback(
        [options, run, &action] { action = [options, run] { return run(*options); }; });
    return std::pair(command, options);
  };
  const auto [step, step_options] = add("step", "Time whole steps, without reading data", run_step);
  step->add_flag("--measure-peak", step_options->measure_peak,
                 "also measure what a large product reaches, after the steps");
  step->add_option("--profile", step_options->profile,
                   "write the timed steps as a trace for Perfetto, and print where the time goes")
      ->type_name("FILE");
  const auto [ops, op_options] =
      add("op", "Time the operations of such steps, by op and shapes", run_ops);
  ops->add_option("--rows", op_options->rows, "longest rows that are printed; JSON has all")
      ->check(CLI::Range(1, 1000000).description(""))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace grimace
