// Times whole pre-training steps: forward, backward and AdamW, without reading data. A row is timed
// only after the loss and gradient norm of its first step agreed with the reference backend's in
// f64. Own flags: --threads=N, --clock=wall|cpu.
#include <cmath>
#include <map>

#include "backends/backend.h"
#include "bench/bench.h"
#include "ir/op_def.h"
#include "tests/testing.h"
#include "tools/random_step.h"
#include "tools/recipe_model.h"

namespace grimace::bench {
namespace {

constexpr int kSamples = 7;

struct FirstStep {
  double loss = 0.0, grad_norm = 0.0;
};

// The relative differences of both numbers, added: not a number if either is none.
double difference(const FirstStep& a, const FirstStep& b) {
  return std::abs(a.loss / b.loss - 1.0) + std::abs(a.grad_norm / b.grad_norm - 1.0);
}

// How far the two may be off: the f32 limit leaves room for sums of 10^8 squares.
double limit_of(Precision precision) {
  return precision == Precision::bf16 ? 2e-2 : 1e-4;
}

// The step of a recipe on one backend, initialised as a run is.
std::unique_ptr<Executable> compile_step(const Recipe& recipe, Backend& backend,
                                         const CompileOptions& options) {
  auto step = backend.compile(*training_graph(recipe), options);
  write_random_step(*step, recipe);
  return step;
}

FirstStep first_step(Executable& step) {
  step.run();
  return {step.read_scalar("loss"), step.read_scalar("grad_norm")};
}

// Computed once for all the rows of a model.
const FirstStep& expected(const std::string& name, const Recipe& recipe) {
  static std::map<std::string, FirstStep> known;
  if (!known.contains(name))
    known[name] = first_step(
        *compile_step(recipe, *make_backend("reference"), {.precision = Precision::f64}));
  return known[name];
}

void report(benchmark::State& state, const Executable& step, int64_t clips, double seconds) {
  constexpr double kMiB = 1 << 20;
  double flops = 0.0;
  for (const Node& node : step.graph().nodes()) flops += static_cast<double>(flops_of(node));
  state.counters["clips/s"] = static_cast<double>(clips) / seconds;
  state.counters["GFLOP/s"] = flops / seconds * 1e-9;
  state.counters["peak_MiB"] = static_cast<double>(step.info().peak_bytes()) / kMiB;
  state.SetLabel(step.info().backend);
}

void run_row(benchmark::State& state, const std::string& name, const Recipe& recipe,
             Backend& backend, Precision precision, const Timing& timing) {
  const auto step =
      compile_step(recipe, backend, {.precision = precision, .threads = timing.threads});
  const FirstStep got = first_step(*step);
  const FirstStep& wanted = expected(name, recipe);
  const double error = difference(got, wanted);
  const double limit = limit_of(precision);
  if (!(error <= limit))
    return refuse(state, cat("first step: loss ", got.loss, ", gradient norm ", got.grad_norm,
                             "; reference ", wanted.loss, ", ", wanted.grad_norm,
                             "; relative difference ", error, ", limit ", limit));
  std::vector<double> seconds;
  for ([[maybe_unused]] auto _ : state) {
    seconds.push_back(timing.seconds_of([&] {
      step->run();
      step->wait();
    }));
    state.SetIterationTime(seconds.back());
  }
  report(state, *step, recipe.optim.batch_size, report_times(state, seconds).median);
}

std::map<std::string, Recipe> recipes() {
  Settings small;
  small.read_toml_file(testing::repository_dir() / "recipes" / "pretrain-demo.toml");
  Settings full;
  full.set_pair("optim.batch_size=2");
  return {{"pretrain-demo", small.resolve().recipe}, {"mae-dfer-pretrain", full.resolve().recipe}};
}

void define(int& argc, char** argv) {
  const Timing timing = take_timing(argc, argv);
  for (const auto& [model, recipe] : recipes())
    for (const std::string& name : backend_names()) {
      if (name == "reference") continue;
      const std::shared_ptr<Backend> backend = make_backend(name);
      if (!backend->unavailable().empty()) continue;
      for (const Precision precision : {Precision::f32, Precision::bf16}) {
        if (!backend->supports(precision)) continue;
        const std::string row =
            cat("step/", model, "/", recipe.optim.batch_size, "/", name_of(precision), "/", name);
        benchmark::RegisterBenchmark(row.c_str(),
                                     [=, model = model, recipe = recipe](benchmark::State& state) {
                                       run_row(state, model, recipe, *backend, precision, timing);
                                     })
            ->UseManualTime()
            ->Iterations(kSamples)
            ->Unit(benchmark::kMillisecond);
      }
    }
}

}  // namespace
}  // namespace grimace::bench

int main(int argc, char** argv) {
  return grimace::bench::run_program(argc, argv, grimace::bench::define);
}
