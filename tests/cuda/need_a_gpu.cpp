// Skips every test of this program where there is no GPU.
#include <gtest/gtest.h>

#include "backends/cuda/gpu.h"

namespace {

class NeedAGpu : public ::testing::Environment {
 public:
  void SetUp() override {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess || count == 0)
      GTEST_SKIP() << "[  SKIPPED ] these tests need an NVIDIA GPU: " << cudaGetErrorString(status);
  }
};

[[maybe_unused]] const auto* const need_a_gpu = ::testing::AddGlobalTestEnvironment(new NeedAGpu);

}  // namespace
