// The cuda backend's kernels: one table from op to maker.
#pragma once

#include "backends/cuda/kernels.h"

namespace grimace::cuda {

// Whether a kernel of this backend computes the node.
bool has_kernel(const Node& node);
// Error naming the node where there is none.
GpuKernel make_kernel(const Node& node, const Operands& operands, const Context& context);

}  // namespace grimace::cuda
