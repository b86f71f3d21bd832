// What every cpu kernel is given: threads, instruction set, scratch memory; and the one way to
// share work among threads.
#pragma once

#include <algorithm>
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

// Elements of simple work that are worth a thread of their own.
constexpr int64_t kGrain = 16384;
// How many rows of `cols` elements make a grain.
inline int64_t grain_rows(int64_t cols) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cols));
}

// Runs body(begin, end) over equal parts of [0, count), at most one per thread and none smaller
// than `grain`, each compiled for the instruction set. The parts depend on the number of threads
// asked for and on nothing else, so results that depend on the split repeat. body must not throw.
template <typename Body>
void parallel_for(const Context& cpu, int64_t count, int64_t grain, const Body& body) {
  if (count == 0) return;
  const int64_t parts = std::clamp<int64_t>(count / grain, 1, cpu.threads);
  const auto run = [&](int64_t part) {
    const int64_t begin = count * part / parts;
    const int64_t end = count * (part + 1) / parts;
    vectorised(cpu.isa, [body, begin, end] { body(begin, end); });
  };
  if (parts == 1) return run(0);
#pragma omp parallel for num_threads(cpu.threads) schedule(static, 1)
  for (int64_t part = 0; part < parts; ++part) run(part);
}

}  // namespace grimace::cpu
