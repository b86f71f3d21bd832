// A lowered graph on a device: one arena, one list of kernels, captured once as a CUDA graph and
// replayed.
#pragma once

#include <memory>

#include "backends/cuda/lowering.h"

namespace grimace::cuda {

// Takes the graph over; the device that `context` speaks of is in use. Error, before anything is
// allocated, when the plan does not fit the device's free memory.
std::unique_ptr<Executable> make_cuda_executable(std::unique_ptr<Graph> graph, Context context,
                                                 ExecutableInfo info);

}  // namespace grimace::cuda
