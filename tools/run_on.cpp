#include "tools/run_on.h"

#include "tools/recipe.h"

namespace grimace {

CompileOptions RunOn::options() const {
  return {.precision = precision_from(precision),
          .threads = threads,
          .memory_budget = memory_budget << 20,
          .device = device};
}

RunOn run_on(const Recipe& recipe) {
  return {.backend = recipe.run.backend,
          .precision = recipe.run.precision,
          .threads = static_cast<int>(recipe.run.threads),
          .device = static_cast<int>(recipe.run.device),
          .memory_budget = recipe.run.memory_budget};
}

void add_run_on(CLI::App& command, RunOn& on) {
  command.add_option("--backend", on.backend, "cpu, cuda or reference")->capture_default_str();
  command.add_option("--precision", on.precision, "f32, bf16, tf32 (cuda) or f64 (reference)")
      ->capture_default_str();
  command.add_option("--threads", on.threads, "compute threads; 0 = one per core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_option("--device", on.device, "which GPU, for --backend cuda")
      ->check(CLI::Range(0, 1023))
      ->capture_default_str();
}

}  // namespace grimace
