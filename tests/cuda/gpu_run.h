// Runs the node of a tiny graph with a kernel of the cuda backend and with its reference kernel,
// and compares. The same on the emulated GPU and on a real one.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "backends/cuda/cuda_kernels.h"
#include "tests/node_run.h"
#include "tests/op_cases.h"

namespace grimace::testing {

// Device memory, filled with 0xff: NaN as a float, -1 as an integer. Aligned to 64 bytes and no
// more, as operands are. On the emulated GPU, writes beyond it are found.
class DeviceMemory {
 public:
  explicit DeviceMemory(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
    cuda::check_cuda(cudaMalloc(&whole_, bytes_ + kOffset), "cudaMalloc");
    poison();
  }
  ~DeviceMemory() {
    try {
      cuda::check_cuda(cudaFree(whole_), "cudaFree");
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  void* get() const { return static_cast<std::byte*>(whole_) + kOffset; }
  void poison() { cuda::check_cuda(cudaMemset(get(), 0xff, bytes_), "cudaMemset"); }
  void write(const void* from) {
    cuda::check_cuda(cudaMemcpy(get(), from, bytes_, cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  void read(void* to) const {
    cuda::check_cuda(cudaMemcpy(to, get(), bytes_, cudaMemcpyDeviceToHost), "cudaMemcpy");
  }

 private:
  static constexpr size_t kOffset = 64;
  size_t bytes_;
  void* whole_ = nullptr;
};

// A stream, and what is enqueued on it by a function: at once, or through a captured graph.
class DeviceStream {
 public:
  DeviceStream() {
    cuda::check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
  }
  ~DeviceStream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  DeviceStream(const DeviceStream&) = delete;
  DeviceStream& operator=(const DeviceStream&) = delete;

  using Enqueue = std::function<void(cudaStream_t)>;
  void run(const Enqueue& enqueue) {
    wait_for_default_stream();
    enqueue(stream_);
    cuda::check_cuda(cudaStreamSynchronize(stream_), "a kernel");
    cuda::check_cuda(cudaGetLastError(), "a kernel");
  }
  void run_captured(const Enqueue& enqueue) {
    wait_for_default_stream();
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t runnable = nullptr;
    cuda::check_cuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), "a capture");
    enqueue(stream_);
    cuda::check_cuda(cudaStreamEndCapture(stream_, &graph), "the end of a capture");
    cuda::check_cuda(cudaGraphInstantiate(&runnable, graph, 0), "a graph");
    run([&](cudaStream_t stream) {
      cuda::check_cuda(cudaGraphLaunch(runnable, stream), "a graph's launch");
    });
    cuda::check_cuda(cudaGraphExecDestroy(runnable), "a graph's end");
    cuda::check_cuda(cudaGraphDestroy(graph), "a graph's end");
  }

 private:
  // What it still fills and uploads is not ordered before this stream.
  static void wait_for_default_stream() {
    cuda::check_cuda(cudaDeviceSynchronize(), "filling memory");
  }

  cudaStream_t stream_ = nullptr;
};

// A kernel that was run.
struct GpuResult {
  std::string name;
  std::string fault;  // empty: none was reported
  std::vector<Tensor> out;
};

struct GpuRun : OneNode {
  using OneNode::OneNode;

  // Result i is over the input in_place[i], where there is one; results are poisoned otherwise. Run
  // at once and through a graph: the results have to agree bit for bit.
  GpuResult kernel(const std::vector<size_t>& in_place = {}) const {
    auto result = start(in_place, false);
    const auto again = start(in_place, true);
    EXPECT_EQ(again.name, result.name);
    EXPECT_EQ(again.fault, result.fault) << result.name;
    for (size_t i = 0; i < result.out.size() && result.fault.empty(); ++i)
      EXPECT_TRUE(same_bits(result.out[i], again.out[i]))
          << "result " << i << " of " << result.name << " differs when captured in a graph";
    return result;
  }

  cuda::Context context = {};

 private:
  using Memories = std::vector<std::unique_ptr<DeviceMemory>>;

  Memories upload() const {
    Memories memories;
    for (const Tensor& input : inputs) {
      memories.push_back(std::make_unique<DeviceMemory>(input.bytes()));
      if (input.bytes() > 0) memories.back()->write(input.data());
    }
    return memories;
  }

  GpuResult start(const std::vector<size_t>& in_place, bool captured) const {
    cuda::Context mine = context;
    mine.workspace = std::make_shared<cuda::Workspace>();
    mine.faults = std::make_shared<cuda::Faults>();
    DeviceMemory flag(sizeof(int));
    const int none = 0;
    flag.write(&none);
    mine.faults->place(static_cast<int*>(flag.get()));

    Memories memories = upload();
    Operands operands;
    operands.stable.resize(inputs.size(), false);
    for (size_t i = 0; i < inputs.size(); ++i)
      operands.in.emplace_back(inputs[i].type(), memories[i]->get());
    std::vector<DeviceMemory*> outputs;
    for (size_t i = 0; i < static_cast<size_t>(node.num_results()); ++i) {
      const TensorType& type = node.out(static_cast<int>(i));
      if (i >= in_place.size()) memories.push_back(std::make_unique<DeviceMemory>(type.bytes()));
      outputs.push_back(i < in_place.size() ? memories[in_place[i]].get() : memories.back().get());
      operands.out.push_back({type, outputs.back()->get()});
    }

    const cuda::GpuKernel kernel = cuda::make_kernel(node, operands, mine);
    DeviceMemory workspace(mine.workspace->bytes());
    mine.workspace->place(workspace.get());
    if (kernel.prepare) kernel.prepare();
    DeviceStream stream;
    if (captured)
      stream.run_captured(kernel.run);
    else
      stream.run(kernel.run);

    GpuResult result{kernel.name, "", results()};
    int fault = 0;
    flag.read(&fault);
    if (fault != 0) result.fault = mine.faults->message(fault);
    for (size_t i = 0; i < outputs.size(); ++i)
      if (result.out[i].bytes() > 0) outputs[i]->read(result.out[i].data());
    return result;
  }
};

using BuildNode = std::function<void(Builder&)>;
using PrepareRun = std::function<void(GpuRun&)>;

inline void expect_results_near(const GpuResult& got, const std::vector<Tensor>& wanted,
                                double limit) {
  EXPECT_EQ(got.fault, "") << got.name;
  ASSERT_EQ(got.out.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_LE(relative_l2_error(got.out[i], wanted[i]), limit)
        << "result " << i << " of " << got.name;
}

// The kernel of the last node that `build` makes agrees with the reference kernel, in relative L2.
// Its name, for tests of what was chosen.
inline std::string expect_gpu_agrees(const BuildNode& build, double limit = 1e-6,
                                     const PrepareRun& prepare = {},
                                     const std::vector<size_t>& in_place = {}) {
  Graph graph;
  Builder b(graph);
  build(b);
  GpuRun run(graph);
  if (prepare) prepare(run);
  SCOPED_TRACE(run.node.describe() + " " + to_string(run.node.out()));
  EXPECT_TRUE(cuda::has_kernel(run.node));
  if (!cuda::has_kernel(run.node)) return "";
  const GpuResult got = run.kernel(in_place);
  expect_results_near(got, run.reference(), limit);
  return got.name;
}
// Result i overwrites the input in_place[i].
inline std::string expect_gpu_agrees_in_place(const BuildNode& build,
                                              const std::vector<size_t>& in_place,
                                              double limit = 1e-6, const PrepareRun& prepare = {}) {
  return expect_gpu_agrees(build, limit, prepare, in_place);
}

// What the kernel reports about bad data that `prepare` puts into the inputs; empty: nothing.
inline std::string gpu_fault_of(const BuildNode& build, const PrepareRun& prepare) {
  Graph graph;
  Builder b(graph);
  build(b);
  GpuRun run(graph);
  prepare(run);
  return run.kernel().fault;
}

inline Tensor tensor_of(const Buffer& buffer) {
  Tensor result(buffer.type);
  convert(buffer.view(), result.view());
  return result;
}

// Every op case of these ops, each of which has some, against the reference in f64 (f32 where the
// case is about 16-bit floats), with the case's own tolerance.
inline void expect_gpu_agrees_on_op_cases(std::initializer_list<const OpDef*> ops) {
  constexpr uint64_t kSeed = 11;
  for (const OpDef* op : ops) {
    int tried = 0;
    for (const OpCase& op_case : op_cases()) {
      if (op_case.op != op) continue;
      ++tried;
      SCOPED_TRACE(op_case.name());
      const auto graph = build(op_case);
      GpuRun run(*graph);
      EXPECT_TRUE(cuda::has_kernel(run.node)) << "no kernel";
      if (!cuda::has_kernel(run.node)) continue;
      const auto inputs = random_inputs(op_case, kSeed);
      for (size_t i = 0; i < inputs.size(); ++i)
        run.inputs.at(i) = tensor_of(inputs.at(cat("in", i)));
      const auto outputs =
          interpret(*build(op_case, DType::f64), random_inputs(op_case, kSeed, DType::f64)).outputs;
      std::vector<Tensor> wanted;
      for (size_t i = 0; i < outputs.size(); ++i)
        wanted.push_back(tensor_of(outputs.at(cat("out", i))));
      const Tolerance& tolerance = op_case.tolerance;
      expect_results_near(run.kernel(), wanted,
                          op_case.has_16_bit() ? tolerance.in_16_bit : tolerance.value);
    }
    EXPECT_GT(tried, 0) << "no op case for " << op->name;
  }
}

}  // namespace grimace::testing
