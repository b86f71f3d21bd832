// kernels/reconstruction.cu: reconstruction_target and reconstruction_loss of f32 videos, with
// differences inside a cube or none; make_loss passes them on.
#pragma once

#include "backends/cuda/context.h"

namespace grimace::cuda {

bool serves_reconstruction(const Node& node);
GpuKernel make_reconstruction(const Node& node, const Operands& operands, const Context& context);

}  // namespace grimace::cuda
