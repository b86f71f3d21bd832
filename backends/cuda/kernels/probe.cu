// A kernel that does nothing, to ask a device whether it can run this build's kernels.
#include "backends/cuda/device.h"

namespace grimace::cuda {
namespace {

__global__ void probe() {}

}  // namespace

cudaError_t probe_kernels() {
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(probe));
}

}  // namespace grimace::cuda
