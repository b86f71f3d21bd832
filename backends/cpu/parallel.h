// The one way in which cpu kernels share work among threads.
#pragma once

#include <algorithm>

#include "backends/cpu/context.h"

namespace grimace::cpu {

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
