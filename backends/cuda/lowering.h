// A lowered graph as a flat list of GPU kernels with fixed addresses, made without a device.
#pragma once

#include <string>
#include <vector>

#include "backends/cuda/context.h"
#include "runtime/plan.h"

namespace grimace::cuda {

struct Step {
  const Node* node = nullptr;
  GpuKernel kernel;
};

struct Lowering {
  std::vector<Step> stable;  // run once, and again after a param was written
  std::vector<Step> steps;
};

// `base` is where the plan's arena begins in device memory; any address will do where nothing is
// going to run. Error naming the node that no kernel computes.
Lowering lower_kernels(const Graph& graph, const MemoryPlan& plan, std::byte* base,
                       const Context& context);

// What a graph becomes on a device, for people and tests: memory, and every kernel with how many
// nodes run it, in order of first use.
//   arena 1934 MiB: 1105 MiB persistent, 829 MiB reused; workspace 32 MiB
//   250 x adamw f32  ...
std::string plan_text(const Lowering& lowering, const MemoryPlan& plan, const Context& context);

}  // namespace grimace::cuda
