// A graph made ready to run by a backend: fixed addresses in one arena, no decisions left.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "runtime/profile.h"
#include "runtime/tensor.h"

namespace grimace {

struct MemoryPlan;

struct ExecutableInfo {
  std::string backend;           // "cpu f32, 2 threads"
  int64_t persistent_bytes = 0;  // inputs, params, states
  int64_t transient_bytes = 0;   // activations, reused
  int64_t lower_bound_bytes = 0;
  int64_t private_bytes = 0;            // the backend's own: packed weights, scratch
  std::vector<std::string> slow_nodes;  // "op xN": nodes without a fast kernel on this backend
  int64_t peak_bytes() const { return persistent_bytes + transient_bytes + private_bytes; }
};

// "op xN" of these nodes, by name.
std::vector<std::string> count_ops(const std::vector<const Node*>& nodes);

class Executable {
 public:
  virtual ~Executable() = default;
  // One pass over the graph. Throws RunError naming the node. A device may still be at it when this
  // returns; its errors then come with the next call that waits.
  virtual void run() = 0;
  virtual void wait() {}  // until all runs are done
  // Sets a graph input (not a constant), converting its element type. Error naming both shapes.
  virtual void write(const std::string& name, ConstView value) = 0;
  // The current value of a named output after run(), or of a graph input, in its own type; good
  // until the next run() or write(). An output that is itself a param or state reads as updated.
  // Error when there is no such name.
  virtual ConstView view(const std::string& name) const = 0;
  Tensor read(const std::string& name) const;  // a copy of it
  double read_scalar(const std::string& name) const;
  // The value of a scalar output after the last run, to be had until the run after the next: a
  // device goes on meanwhile, where read_scalar() has to wait for it.
  virtual std::function<double()> read_later(const std::string& name) const;
  // What view() shows: the output of that name, or else the graph input. Error when there is none.
  Value readable(const std::string& name) const;
  // The graph input of that name, which such a value may be written to; Error saying why not.
  Value writable(const std::string& name, const TensorType& type) const;
  virtual const Graph& graph() const = 0;
  virtual const ExecutableInfo& info() const = 0;
  // Runs from now on are recorded there, node by node; null: no longer, which costs nothing.
  void profile_into(Profile* profile) { profile_ = profile; }

 protected:
  Profile* profile_ = nullptr;
};

// ---- For backends that run in host memory --------------------------------------------------

using Kernel = std::function<void()>;

struct Operands {
  std::vector<ConstView> in =
      {};  // aligned to 64 bytes; may equal out where the op allows aliasing
  std::vector<View> out = {};
  std::vector<bool> stable = {};  // per input: its value never changes while the kernel lives,
                                  // except through write(), after which `version` differs
  const uint64_t* version = nullptr;
  // Per input: a stable graph input that no other kernel reads. A kernel may keep it in an order of
  // its own, in its place: it gives the ways there and back to `keep_packed`. `pack` runs before
  // the first run and after every write(), `unpack` before anyone else looks.
  std::vector<bool> own = {};
  std::function<void(int input, Kernel pack, Kernel unpack)> keep_packed = {};
};

// The node's operands in an arena that begins at `base`; without `version` and what follows it.
Operands operands_in(const MemoryPlan& plan, const Node& node, std::byte* base);

// Runs the op's reference kernel (ir/interpret.h): for what a backend has no kernel of its own for.
Kernel reference_kernel(const Node& node, const Operands& operands);

class KernelFactory {
 public:
  virtual ~KernelFactory() = default;
  // A kernel with these addresses built in. Called once per node, in order.
  virtual Kernel make(const Node& node, const Operands& operands) = 0;
  // Whether that kernel is a fast one; others are told of in ExecutableInfo::slow_nodes.
  virtual bool is_fast(const Node&) const { return true; }
  virtual int64_t private_bytes() const { return 0; }
};

// Takes the graph over, fits it into the budget (fit_memory), plans memory, makes every kernel.
// `info` has the backend's name; the rest is filled in.
std::unique_ptr<Executable> make_host_executable(std::unique_ptr<Graph> graph,
                                                 std::unique_ptr<KernelFactory> factory,
                                                 ExecutableInfo info, int64_t memory_budget);

}  // namespace grimace
