// The life of a step on a device. Inputs come through the InputQueue; the kernels are captured in
// the first run and replayed by every other; scalar results and the fault flag go to pinned memory,
// so that nobody has to wait for the device to look at the step before.
#include "backends/cuda/cuda_executable.h"

#include <cstdlib>
#include <map>

#include "backends/cuda/device.h"
#include "backends/cuda/input_queue.h"
#include "backends/cuda/mirror.h"
#include "backends/cuda/profiler.h"
#include "ir/op_def.h"

namespace grimace::cuda {
namespace {

// Bytes that do not grow with the batch: params, states, constants.
int64_t fixed_bytes(const Graph& graph) {
  int64_t bytes = 0;
  for (const Value& input : graph.inputs())
    if (!input.is(Role::input)) bytes += input.type().bytes();
  return bytes;
}

// The leading axis of the largest input.
int64_t batch_of(const Graph& graph) {
  Value largest;
  for (const Value& input : graph.inputs(Role::input))
    if (!largest || input.type().bytes() > largest.type().bytes()) largest = input;
  return largest && largest.shape().rank() > 0 ? largest.dim(0) : 1;
}

// In this mode every kernel is waited for, so that a device's error names its node.
bool wait_for_every_kernel() {
  const char* set = std::getenv("GRIMACE_CUDA_CHECK");
  return set != nullptr && std::string_view(set) == "1";
}

class CudaExecutable : public Executable {
 public:
  CudaExecutable(std::unique_ptr<Graph> graph, Context context, ExecutableInfo info)
      : graph_(std::move(graph)),
        plan_(plan_memory(*graph_)),
        context_(std::move(context)),
        info_(std::move(info)) {
    for (const Value& input : graph_->inputs(Role::input))
      queue_index_[input.name()] = queue_.add(plan_.offset.at(input), input.type());
    require_memory(plan_.arena_bytes() + queue_.device_bytes() + workspace_bytes());
    arena_ = allocate_device(plan_.arena_bytes());
    compute_ = make_stream();
    check_cuda(
        cudaMemsetAsync(arena_.get(), 0, static_cast<size_t>(plan_.arena_bytes()), compute_.get()),
        "clearing the arena");
    lowering_ = lower_kernels(*graph_, plan_, base(), context_);
    queue_.allocate(base());
    place_scratch();
    for (const Value& constant : graph_->inputs(Role::constant))
      upload(constant, {constant.type(), constant.def()->data.data()});
    for (auto* steps : {&lowering_.stable, &lowering_.steps})
      for (Step& step : *steps)
        if (step.kernel.prepare) step.kernel.prepare();
    fill_info();
  }

  // What a step still writes to is freed after this.
  ~CudaExecutable() override {
    if (compute_) static_cast<void>(cudaStreamSynchronize(compute_.get()));
  }

  void run() override {
    run_stable();
    queue_.move_home(compute_.get());
    if (profile_ != nullptr && profile_->begin_run())
      run_profiled();
    else if (wait_for_every_kernel_)
      run_waiting();
    else
      replay();
    mirror_.update(compute_.get());
  }

  void wait() override { mirror_.wait(); }

  void write(const std::string& name, ConstView value) override {
    const Value input = writable(name, value.type);
    if (input.is(Role::input)) return queue_.write(queue_index_.at(name), value);
    Tensor converted(input.type());
    convert(value, converted.view());
    upload(input, converted.view());
    ++version_;
  }

  ConstView view(const std::string& name) const override {
    const Value value = readable(name);
    Tensor& copy = host_[name];
    if (copy.empty()) copy = Tensor(value.type());
    mirror_.wait();
    check_cuda(
        cudaMemcpyAsync(copy.data(), base() + plan_.offset.at(value),
                        static_cast<size_t>(copy.bytes()), cudaMemcpyDeviceToHost, compute_.get()),
        "reading a tensor");
    check_cuda(cudaStreamSynchronize(compute_.get()), "reading a tensor");
    return copy.view();
  }

  std::function<double()> read_later(const std::string& name) const override {
    return mirror_.read_later(name);
  }

  const Graph& graph() const override { return *graph_; }
  const ExecutableInfo& info() const override { return info_; }

 private:
  std::byte* base() const { return static_cast<std::byte*>(arena_.get()); }

  // Known before anything is allocated, as makers need no device.
  int64_t workspace_bytes() const {
    Context trial{.tf32 = context_.tf32, .properties = context_.properties};
    lower_kernels(*graph_, plan_, nullptr, trial);
    return trial.workspace->bytes();
  }

  void require_memory(int64_t needed) const {
    const int64_t free = free_device_bytes();
    if (needed <= free) return;
    const int64_t batch = batch_of(*graph_);
    const int64_t fixed = fixed_bytes(*graph_);
    const int64_t fits = free <= fixed ? 0 : (free - fixed) * batch / (needed - fixed);
    throw Error(cat("the plan needs ", mebibytes(needed), " of device memory and ",
                    context_.properties.name, " has ", mebibytes(free), " free; a batch of about ",
                    fits, " instead of ", batch, " would fit, or give --memory-budget ",
                    (free >> 20) * 9 / 10));
  }

  void place_scratch() {
    scratch_ = allocate_device(context_.workspace->bytes());
    context_.workspace->place(scratch_.get());
    mirror_.add_fault_flag(*context_.faults);
    for (const Output& output : graph_->outputs())
      if (output.value.type().numel() == 1)
        mirror_.add(output.name, output.value.type(), base() + plan_.offset.at(output.value));
    mirror_.allocate();
  }

  void upload(Value input, ConstView value) {
    check_cuda(cudaMemcpyAsync(base() + plan_.offset.at(input), value.data,
                               static_cast<size_t>(input.type().bytes()), cudaMemcpyHostToDevice,
                               compute_.get()),
               "writing a tensor");
    check_cuda(cudaStreamSynchronize(compute_.get()), "writing a tensor");
  }

  void enqueue(const Step& step) {
    try {
      step.kernel.run(compute_.get());
    } catch (const RunError& error) {
      throw RunError(cat(step.node->describe(), ": ", error.what()));
    }
  }

  void run_stable() {
    if (stable_version_ == version_) return;
    for (const Step& step : lowering_.stable) enqueue(step);
    stable_version_ = version_;
  }

  void copy_updates() {
    for (const MemoryPlan::Copy& copy : plan_.copies)
      check_cuda(
          cudaMemcpyAsync(base() + copy.to, base() + copy.from, static_cast<size_t>(copy.bytes),
                          cudaMemcpyDeviceToDevice, compute_.get()),
          "copying an update");
  }

  void replay() {
    if (!runnable_) capture();
    check_cuda(cudaGraphLaunch(runnable_.get(), compute_.get()), "starting a step");
  }

  // Thread-local mode: what other threads do with CUDA meanwhile does not break it.
  void capture() {
    check_cuda(cudaStreamBeginCapture(compute_.get(), cudaStreamCaptureModeThreadLocal),
               "recording a step");
    cudaGraph_t graph = nullptr;
    try {
      for (const Step& step : lowering_.steps) enqueue(step);
      copy_updates();
    } catch (...) {
      static_cast<void>(cudaStreamEndCapture(compute_.get(), &graph));
      CapturedGraph abandoned(graph);
      throw;
    }
    check_cuda(cudaStreamEndCapture(compute_.get(), &graph), "recording a step");
    const CapturedGraph captured(graph);
    cudaGraphExec_t runnable = nullptr;
    check_cuda(cudaGraphInstantiate(&runnable, captured.get(), 0), "making a step's graph ready");
    runnable_ = RunnableGraph(runnable);
  }

  void run_profiled() {
    profiler_.start(compute_.get());
    for (const Step& step : lowering_.steps) {
      enqueue(step);
      profiler_.mark(step.node, compute_.get());
    }
    copy_updates();
    profiler_.mark(nullptr, compute_.get());
    profiler_.finish(*profile_);
  }

  void run_waiting() {
    for (const Step& step : lowering_.steps) {
      enqueue(step);
      const cudaError_t status = cudaStreamSynchronize(compute_.get());
      if (status != cudaSuccess)
        throw RunError(cat(step.node->describe(), ": ", step.kernel.name, " failed on ",
                           context_.properties.name, ": ", cudaGetErrorString(status)));
    }
    copy_updates();
  }

  void fill_info() {
    info_.persistent_bytes = plan_.persistent_bytes;
    info_.transient_bytes = plan_.transient_bytes;
    info_.lower_bound_bytes = plan_.lower_bound_bytes;
    info_.private_bytes = context_.workspace->bytes() + queue_.device_bytes();
    std::vector<const Node*> slow;
    for (const Step& step : lowering_.steps)
      if (!step.kernel.fast) slow.push_back(step.node);
    info_.slow_nodes = count_ops(slow);
  }

  std::unique_ptr<Graph> graph_;
  MemoryPlan plan_;
  Context context_;
  ExecutableInfo info_;
  Lowering lowering_;
  DeviceMemory arena_, scratch_;
  Stream compute_;
  InputQueue queue_;
  std::map<std::string, size_t> queue_index_;
  mutable Mirror mirror_;  // looking may have to wait
  Profiler profiler_;
  RunnableGraph runnable_;
  mutable std::map<std::string, Tensor> host_;  // what was looked at
  bool wait_for_every_kernel_ = wait_for_every_kernel();
  uint64_t version_ = 1;
  uint64_t stable_version_ = 0;
};

}  // namespace

std::unique_ptr<Executable> make_cuda_executable(std::unique_ptr<Graph> graph, Context context,
                                                 ExecutableInfo info) {
  return std::make_unique<CudaExecutable>(std::move(graph), std::move(context), std::move(info));
}

}  // namespace grimace::cuda
