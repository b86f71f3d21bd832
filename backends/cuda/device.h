// The GPUs of this machine: which there are, and whether this build can use them.
#pragma once

#include <string>
#include <vector>

#include "backends/cuda/context.h"

namespace grimace::cuda {

// Makes device `ordinal` the one this thread uses. Error saying what is wrong and what to do: no
// device, a driver too old, no such ordinal, an architecture that this build has no code for.
Properties open_device(int ordinal);

struct DeviceReport {
  int ordinal = 0;
  Properties properties = {};
  int64_t free_bytes = 0;
  std::string problem = {};  // why this build cannot use it; empty: it can
};
struct DevicesReport {
  std::string driver = {};   // "13.0", the newest CUDA it serves; empty without a driver
  std::string runtime = {};  // "13.0", of this build
  std::string problem = {};  // why there is no device; empty where there is one
  std::vector<DeviceReport> devices = {};
};
DevicesReport find_devices();

// Free memory of the device in use, in bytes.
int64_t free_device_bytes();

// kernels/probe.cu: whether the device in use can run this build's kernels.
cudaError_t probe_kernels();

}  // namespace grimace::cuda
