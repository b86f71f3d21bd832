// What a backend is: something that turns a graph into an Executable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/passes/passes.h"
#include "runtime/executable.h"

namespace grimace {

enum class Precision : uint8_t { f32, bf16, f64, tf32 };
std::string_view name_of(Precision precision);
Precision precision_from(std::string_view name);  // Error listing the known ones

struct CompileOptions {
  Precision precision = Precision::f32;
  int threads = 0;            // 0: all the cores this process may use
  int64_t memory_budget = 0;  // bytes that the plan may take, if need be by computing values again;
                              // 0: no limit. Error where it cannot be met
  int device = 0;             // which GPU, where the backend runs on one
};

// The best that hardware is seen to do: what work is measured against.
struct Peaks {
  double f32_flops = 0.0, bf16_flops = 0.0;  // per second, large products
  double bytes = 0.0;                        // per second, a large copy: read plus written
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  virtual bool supports(Precision precision) const = 0;
  // Whether a fast kernel exists; a node without one runs its reference kernel and is named in
  // ExecutableInfo::slow_nodes.
  virtual bool supports(const Node& node) const = 0;
  // Why it cannot run on this machine, as without a GPU; empty: it can. lower() works all the same.
  virtual std::string unavailable() const { return ""; }
  // What `doctor` shows of the hardware and libraries behind it, line by line: what, and what of
  // it.
  virtual std::vector<std::pair<std::string, std::string>> describe() const { return {}; }
  // The peaks of its device, where it has ways of its own to measure them; those of f32 in tf32
  // where that is asked for. Takes a second.
  virtual std::optional<Peaks> measure_peaks(const CompileOptions&) const { return std::nullopt; }
  // A copy of the graph, rewritten for this backend and precision. Error when the precision is not
  // supported.
  virtual std::unique_ptr<Graph> lower(const Graph& graph, Precision precision) const = 0;
  // Lowers, plans and prepares the graph.
  virtual std::unique_ptr<Executable> compile(const Graph& graph,
                                              const CompileOptions& options) = 0;
};

// "reference", "cpu" or "cuda"; Error listing what this build has.
std::unique_ptr<Backend> make_backend(std::string_view name);
std::vector<std::string> backend_names();

}  // namespace grimace
