// The machinery of check_golden: a file being checked on a backend, one method per kind.
#pragma once

#include <set>

#include "ir/passes/passes.h"
#include "tools/golden_compare.h"
#include "tools/golden_config.h"

namespace grimace {

class GoldenChecker {
 public:
  GoldenChecker(const SafetensorsFile& file, Backend& backend, const CompileOptions& options);
  GoldenReport run();

 private:
  void pretrain();
  void finetune();
  void targets();
  void optimizer();
  void constant_tables();
  void target_row(const std::string& name);

  // A tensor of the file; what nobody took by the end is unknown.
  Tensor take(const std::string& name);
  std::vector<std::string> names_with(const std::string& prefix) const;
  // Before a model is built whose sizes are in the file's metadata alone.
  void check_parameters(const std::vector<ParamSpec>& specs) const;
  // Takes param.* for every spec and input.* for every per-step input of the graph.
  void write_inputs(Executable& executable, const std::vector<ParamSpec>& specs);
  std::unique_ptr<Executable> compile(Graph& graph, std::span<const Pass> passes);
  void add_row(const std::string& name, const Tensor& computed, double limit);
  void compare_all_gradients(const Executable& executable);
  int64_t visible_tokens() const;

  const SafetensorsFile& file_;
  Backend& backend_;
  CompileOptions options_;
  GoldenConfig config_;
  GoldenLimits limits_;
  GoldenReport report_;
  std::set<std::string> remaining_;
};

}  // namespace grimace
