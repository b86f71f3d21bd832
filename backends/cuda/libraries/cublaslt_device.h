// cuBLASLt on the current device: its handle, its cache of algorithms, and the check of what it
// returns.
#pragma once

#include <cublasLt.h>

#include <set>
#include <string>

#include "backends/cuda/libraries/algorithm_cache.h"
#include "backends/cuda/libraries/device_timer.h"

namespace grimace::cuda {

// Throws RunError with cuBLASLt's own words when `status` is not success.
void check_cublaslt(cublasStatus_t status, const char* what, const std::string& node_text);

struct CublasLtDevice {
  cublasLtHandle_t handle = nullptr;
  AlgorithmCache cache;
  // Keys of products whose algorithm has run in this process: its code is on the device.
  std::set<std::string> loaded;
  DeviceTimer timer;
};

// One per device, made on first use and kept until the process ends.
CublasLtDevice& cublaslt_device(const std::string& node_text);

}  // namespace grimace::cuda
