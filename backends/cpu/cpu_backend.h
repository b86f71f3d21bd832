// The cpu backend: oneDNN products and own vector kernels, OpenMP threads, f32 and bf16 (bf16
// operands of products, f32 for all the rest). GRIMACE_ISA forces an instruction set.
#pragma once

#include "backends/backend.h"

namespace grimace {

std::unique_ptr<Backend> make_cpu_backend();

}  // namespace grimace
