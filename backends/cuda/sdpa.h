// Attention and its gradient by cuDNN: on a device in libraries/sdpa.cpp; the emulated GPU has none
// (emulator/sdpa.cpp).
#pragma once

#include <optional>

#include "backends/cuda/context.h"

namespace grimace::cuda {

// Nothing where cuDNN does not take the node's type, sizes or strides on such a device, or is not
// built in; own kernels then compute it.
std::optional<GpuKernel> make_sdpa(const Node& node, const Operands& operands,
                                   const Context& context);

}  // namespace grimace::cuda
