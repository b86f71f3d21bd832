// Device memory of the emulated GPU: host memory, filled with 0xff when it is given out (NaN as a
// float, -1 as an integer), with guard zones around it.
#pragma once

#include <cstddef>
#include <string>

namespace grimace::cuda::emulator {

// Says what was written outside of what cudaMalloc and cudaMallocHost gave; empty: nothing.
std::string damaged_allocation();
// How many are live; for tests.
size_t live_allocations();

}  // namespace grimace::cuda::emulator
