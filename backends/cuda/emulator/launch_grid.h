// Starting a grid on the emulated GPU.
#pragma once

#include <cstddef>
#include <functional>

#include "backends/cuda/emulator/language.h"
#include "backends/cuda/emulator/runtime.h"

namespace grimace::cuda::emulator {

constexpr unsigned kMostSharedBytes = 227u << 10;

// Enqueues `body` once for every thread. RunError where a device would refuse the launch.
// Blocks run one after another in a scrambled order. Dynamic shared memory is filled with NaNs
// before each block; after it InternalError when memory beyond it was written, or beyond what any
// cudaMalloc gave.
void launch(dim3 grid, dim3 block, unsigned shared_bytes, cudaStream_t stream,
            std::function<void()> body);

// Of the running block; aligned to 16 bytes and no more, as a device promises.
std::byte* dynamic_shared();

}  // namespace grimace::cuda::emulator
