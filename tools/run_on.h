// Where and how a graph runs: --backend, --precision, --threads, --device and --memory-budget, of
// every command.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "backends/backend.h"

namespace grimace {

struct Recipe;

struct RunOn {
  std::string backend = "cpu";
  std::string precision = "f32";
  int threads = 0;            // 0: one per core
  int device = 0;             // which GPU
  int64_t memory_budget = 0;  // MiB; 0: no limit

  CompileOptions options() const;  // Error when there is no such precision
};

// What the recipe's [run] says.
RunOn run_on(const Recipe& recipe);

// All but the memory budget.
void add_run_on(CLI::App& command, RunOn& on);

}  // namespace grimace
