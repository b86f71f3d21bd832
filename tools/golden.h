// Golden files: parameters, inputs and expected results of one model in one safetensors file, and
// the check of a backend against them. Any size and configuration that the metadata can name.
#pragma once

#include <string>
#include <vector>

#include "backends/backend.h"
#include "runtime/safetensors.h"

namespace grimace {

struct GoldenRow {
  std::string tensor;
  double error = 0.0;
  double limit = 0.0;
  // What `error` is: "relative" (L2 error over L2 norm), "absolute" (a tensor too small beside the
  // others, or exactly zero, or the largest single error where the row says so).
  std::string measure = "relative";
  bool ok() const { return error <= limit; }  // false for NaN
};

struct GoldenReport {
  std::string kind;     // pretrain, finetune, targets, optimizer
  std::string skipped;  // why nothing was compared; empty where it was
  std::string backend;  // as ExecutableInfo::backend
  std::vector<GoldenRow> rows;
  std::vector<std::string> slow_nodes;
  bool ok() const;  // false where nothing was compared
};

// Runs the file and compares every expected tensor it holds; skips a file whose kind the precision
// does not have. Error naming the file and the key or tensor for anything unknown, missing or of
// the wrong shape.
GoldenReport check_golden(const SafetensorsFile& file, Backend& backend,
                          const CompileOptions& options);

}  // namespace grimace
