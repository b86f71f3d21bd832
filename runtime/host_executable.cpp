// The Executable of backends that run in host memory: one arena, one flat list of kernels.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "ir/interpret.h"
#include "ir/op_def.h"
#include "runtime/executable.h"
#include "runtime/plan.h"

namespace grimace {
namespace {

// Zeroed, page-aligned memory, in huge pages where the system gives them.
class Arena {
 public:
  explicit Arena(int64_t bytes) : bytes_(static_cast<size_t>(std::max<int64_t>(bytes, 1))) {
    // The system may promise more than it has, and end the run when that is used.
    const int64_t installed = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
    void* p = MAP_FAILED;
    if (bytes <= installed)
      p = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED, "the plan needs ", mebibytes(bytes), " of memory and this machine has ",
          mebibytes(installed), "; use a smaller batch or model");
    data_ = static_cast<std::byte*>(p);
    madvise(p, bytes_, MADV_HUGEPAGE);  // a hint; its failure costs speed only
  }
  ~Arena() { munmap(data_, bytes_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  std::byte* at(int64_t offset) const { return data_ + offset; }

 private:
  size_t bytes_;
  std::byte* data_ = nullptr;
};

class HostExecutable : public Executable {
 public:
  HostExecutable(std::unique_ptr<Graph> graph, std::unique_ptr<KernelFactory> factory,
                 ExecutableInfo info)
      : graph_(std::move(graph)),
        factory_(std::move(factory)),
        plan_(plan_memory(*graph_)),
        info_(std::move(info)),
        arena_(plan_.arena_bytes()) {
    for (const Value& constant : graph_->inputs(Role::constant))
      std::memcpy(view(constant).data, constant.def()->data.data(), constant.def()->data.size());
    std::vector<const Node*> slow;
    for (const Node& node : graph_->nodes()) {
      if (is_view(node)) continue;
      if (!factory_->is_fast(node)) slow.push_back(&node);
      (plan_.stable.contains(&node) ? stable_ : steps_)
          .push_back({factory_->make(node, operands(node)), &node});
    }
    info_.persistent_bytes = plan_.persistent_bytes;
    info_.transient_bytes = plan_.transient_bytes;
    info_.lower_bound_bytes = plan_.lower_bound_bytes;
    info_.private_bytes = factory_->private_bytes();
    info_.slow_nodes = count_ops(slow);
  }

  void run() override {
    if (profile_ == nullptr || !profile_->begin_run())
      return run_all([](const Node*, const auto& work) { work(); });
    run_all([this](const Node* node, const auto& work) { profile_->time(node, work); });
    profile_->end_run();
  }

  void write(const std::string& name, ConstView value) override {
    const Value input = writable(name, value.type);
    convert(value, view(input));
    if (const auto packing = packings_.find(input); packing != packings_.end())
      packing->second.packed = false;
    if (!input.is(Role::input)) ++version_;
  }

  ConstView view(const std::string& name) const override {
    const Value value = readable(name);
    if (const auto packing = packings_.find(root_of(value)); packing != packings_.end())
      packing->second.unpack_now();
    return view(value);
  }

  const Graph& graph() const override { return *graph_; }
  const ExecutableInfo& info() const override { return info_; }

 private:
  struct Step {
    Kernel kernel;
    const Node* node;
  };

  // A stable input in the order of the only kernel that reads it.
  struct Packing {
    Kernel pack, unpack;
    bool packed = false;
    void pack_now() {
      if (!packed) pack();
      packed = true;
    }
    void unpack_now() {
      if (packed) unpack();
      packed = false;
    }
  };

  template <typename Call>
  void run_all(const Call& call) {
    for (auto& [input, packing] : packings_) packing.pack_now();
    if (stable_version_ != version_)
      for (const Step& step : stable_) call(step.node, step.kernel);
    stable_version_ = version_;
    for (const Step& step : steps_) call(step.node, step.kernel);
    if (!plan_.copies.empty()) call(nullptr, [this] { copy_updates(); });
  }

  void copy_updates() {
    for (const MemoryPlan::Copy& copy : plan_.copies)
      std::memcpy(arena_.at(copy.to), arena_.at(copy.from), static_cast<size_t>(copy.bytes));
  }

  View view(Value value) const { return {value.type(), arena_.at(plan_.offset.at(value))}; }

  Operands operands(const Node& node) {
    Operands result = operands_in(plan_, node, arena_.at(0));
    for (const Value& input : node.inputs()) {
      const Value root = root_of(input);
      result.own.push_back(root.is(Role::param) && is_stable(plan_, root) && read_once(root));
    }
    result.version = &version_;
    result.keep_packed = [this, &node](int input, Kernel pack, Kernel unpack) {
      packings_[root_of(node.input(input))] = {std::move(pack), std::move(unpack)};
    };
    return result;
  }

  // Whether a single kernel reads the value's memory, under whatever shape; an output is a reader.
  static bool read_once(Value value) {
    int readers = 0;
    std::vector<Value> shapes{value};
    while (!shapes.empty() && readers < 2) {
      const Value v = shapes.back();
      shapes.pop_back();
      readers += v.is_output() ? 1 : 0;
      for (const Node* user : v.users())
        if (is_view(*user))
          shapes.push_back(user->result());
        else
          ++readers;
    }
    return readers == 1;
  }

  std::unique_ptr<Graph> graph_;
  std::unique_ptr<KernelFactory> factory_;
  MemoryPlan plan_;
  ExecutableInfo info_;
  Arena arena_;
  std::vector<Step> stable_;  // run once, and again after a param was written
  std::vector<Step> steps_;
  mutable ValueMap<Packing> packings_;  // by param; looking at one unpacks it
  uint64_t version_ = 1;
  uint64_t stable_version_ = 0;
};

}  // namespace

std::vector<std::string> count_ops(const std::vector<const Node*>& nodes) {
  std::map<std::string_view, int> counts;
  for (const Node* node : nodes) ++counts[node->op_name()];
  std::vector<std::string> result;
  for (const auto& [op, count] : counts) result.push_back(cat(op, " x", count));
  return result;
}

Value Executable::readable(const std::string& name) const {
  const Value output = graph().find_output(name);
  const Value value = output ? output : graph().find_input(name);
  check(static_cast<bool>(value), "the graph has no output or input '", name, "'");
  return value;
}

Value Executable::writable(const std::string& name, const TensorType& type) const {
  const Value input = graph().find_input(name);
  check(input && !input.is(Role::constant), "the graph has no input '", name, "'");
  // Floats as bytes would be normalised pixels cut off to nothing.
  check(input.shape() == type.shape && !(input.dtype() == DType::u8 && is_float(type.dtype)),
        "input '", name, "' is ", input.type(), "; it was given ", type);
  return input;
}

Tensor Executable::read(const std::string& name) const {
  const ConstView from = view(name);
  Tensor result(from.type);
  std::memcpy(result.data(), from.data, static_cast<size_t>(result.bytes()));
  return result;
}

std::function<double()> Executable::read_later(const std::string& name) const {
  return [value = read_scalar(name)] { return value; };
}

double Executable::read_scalar(const std::string& name) const {
  const ConstView from = view(name);
  check(from.type.numel() == 1, "'", name, "' is ", from.type, ", not one value");
  double value = 0.0;
  convert(from, {{DType::f64, from.type.shape}, &value});
  return value;
}

Kernel reference_kernel(const Node& node, const Operands& operands) {
  return [&node, in = operands.in, out = operands.out] { run_reference(node, in, out); };
}

Operands operands_in(const MemoryPlan& plan, const Node& node, std::byte* base) {
  const auto view = [&](Value value) { return View{value.type(), base + plan.offset.at(value)}; };
  Operands result;
  for (const Value& input : node.inputs()) {
    result.in.push_back(view(input));
    result.stable.push_back(is_stable(plan, input));
  }
  for (int i = 0; i < node.num_results(); ++i) result.out.push_back(view(node.result(i)));
  return result;
}

std::unique_ptr<Executable> make_host_executable(std::unique_ptr<Graph> graph,
                                                 std::unique_ptr<KernelFactory> factory,
                                                 ExecutableInfo info, int64_t memory_budget) {
  fit_memory(*graph, memory_budget);
  return std::make_unique<HostExecutable>(std::move(graph), std::move(factory), std::move(info));
}

}  // namespace grimace
