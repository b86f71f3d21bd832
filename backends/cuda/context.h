// What the maker of every CUDA kernel is given, and what it makes. Makers never touch a device: a
// graph is planned on any machine, and only prepare and run need a GPU.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/launch.h"
#include "runtime/executable.h"

namespace grimace::cuda {

// Of the device that a plan is made for; the defaults are an H200's, for plans without a device.
struct Properties {
  std::string name = "NVIDIA H200";
  int capability = 90;  // 10 major + minor
  int multiprocessors = 132;
  int64_t memory_bytes = int64_t{141} << 30;
};

// Scratch shared by all kernels of one executable, which run one after another. Makers reserve;
// the memory is there when run() is called, at the same address every time.
class Workspace {
 public:
  void reserve(int64_t bytes) { bytes_ = std::max(bytes_, bytes); }
  int64_t bytes() const { return bytes_; }
  void place(void* memory) { memory_ = memory; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  int64_t bytes_ = 0;
  void* memory_ = nullptr;
};

// Where kernels report bad data (an index out of range): the first to do so wins, and the run then
// throws RunError with the message. A kernel gets flag() and its own number, and calls
// `report_fault(flag, number)` (below).
class Faults {
 public:
  int add(std::string message) {
    messages_.push_back(std::move(message));
    return static_cast<int>(messages_.size());
  }
  const std::string& message(int number) const {
    return messages_.at(static_cast<size_t>(number - 1));
  }
  void place(int* flag) { flag_ = flag; }
  int* flag() const { return flag_; }

 private:
  std::vector<std::string> messages_;
  int* flag_ = nullptr;  // in device memory; 0: none
};

struct Context {
  bool tf32 = false;  // products of f32 in tf32
  Properties properties = {};
  std::shared_ptr<Workspace> workspace = std::make_shared<Workspace>();
  std::shared_ptr<Faults> faults = std::make_shared<Faults>();
};

// One node made ready.
struct GpuKernel {
  // For plans and profiles: the kernel or library call, types and sizes that chose it, as in
  // "attention_mma<64> bf16, grid 13x96, 128 threads, 36 KiB" or "cublasLt bf16 6464x512x2048,
  // bias".
  std::string name;
  // Enqueues the node's work and returns. Called under stream capture: no allocation, no
  // synchronisation, the same work every time.
  std::function<void(cudaStream_t)> run;
  // Once, on the device, before the first run; for libraries that choose algorithms. May be empty.
  std::function<void()> prepare = {};
  bool fast = true;  // false: right but slow; the run's notes name the node
};

using MakeKernel = GpuKernel (*)(const Node&, const Operands&, const Context&);

// Of an empty result.
inline GpuKernel nothing() {
  return {.name = "nothing", .run = [](cudaStream_t) {}};
}

// The floats that there are kernels for: all but f64.
inline bool is_gpu_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)
__device__ __forceinline__ void report_fault(int* flag, int number) {
  atomicCAS(flag, 0, number);
}
#endif

}  // namespace grimace::cuda
