// What every cpu kernel is given: the number of threads, the instruction set, scratch memory.
#pragma once

#include <memory>

#include "backends/cpu/isa.h"
#include "runtime/tensor.h"

namespace grimace::cpu {

// Scratch shared by all the kernels of one executable, which run one after another. Reserved while
// kernels are made, so nothing is allocated in a run; its contents do not survive a kernel.
class Workspace {
 public:
  void reserve(int64_t bytes) {
    if (bytes > memory_.numel() || memory_.empty()) memory_ = Tensor(DType::u8, {bytes});
  }
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(memory_.data());
  }
  // Counts memory that a kernel keeps for itself: packed weights, widened operands.
  void add_private(int64_t bytes) { private_bytes_ += bytes; }
  int64_t bytes() const { return (memory_.empty() ? 0 : memory_.bytes()) + private_bytes_; }

 private:
  Tensor memory_;
  int64_t private_bytes_ = 0;
};

struct Context {
  int threads = 1;
  Isa isa = Isa::sse2;
  std::shared_ptr<Workspace> workspace = std::make_shared<Workspace>();
  // f32 copies of bf16 operands, where products need them beside the workspace.
  std::shared_ptr<Workspace> widened = std::make_shared<Workspace>();
};

}  // namespace grimace::cpu
