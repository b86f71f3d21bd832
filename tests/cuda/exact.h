// Kernels of long sums compared with the reference in f64: in f32 the reference, which adds one
// after the other, is less exact than they are.
#pragma once

#include "tests/cuda/gpu_run.h"

namespace grimace::testing {

// `wide` builds the node that `build` does, with f64 for every float; it is given the same numbers.
// In relative L2. The name of the kernel.
inline std::string expect_gpu_is_exact(const BuildNode& build, const BuildNode& wide, double limit,
                                       const PrepareRun& prepare = {}) {
  Graph graph;
  Builder b(graph);
  build(b);
  GpuRun run(graph);
  if (prepare) prepare(run);
  Graph wide_graph;
  Builder w(wide_graph);
  wide(w);
  OneNode exact(wide_graph);
  for (size_t i = 0; i < exact.inputs.size(); ++i) {
    const DType dtype = exact.inputs[i].dtype();
    exact.inputs[i] = run.inputs.at(i).cast(dtype);
  }
  SCOPED_TRACE(run.node.describe() + " of " + to_string(run.node.in(0)));
  EXPECT_TRUE(cuda::has_kernel(run.node));
  const GpuResult got = run.kernel();
  expect_results_near(got, exact.reference(), limit);
  return got.name;
}

}  // namespace grimace::testing
