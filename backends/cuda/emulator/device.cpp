// One emulated device, an H100 in numbers, and CUDA's error texts.
#include <algorithm>
#include <cstring>
#include <utility>

#include "backends/cuda/emulator/errors.h"
#include "backends/cuda/emulator/launch_grid.h"
#include "backends/cuda/emulator/memory.h"
#include "ir/error.h"

namespace {

using grimace::cuda::emulator::report;

constexpr int kVersion = 13000;
constexpr int kMultiprocessors = 132;
constexpr int kL2Bytes = 50 << 20;
constexpr int kShared = static_cast<int>(grimace::cuda::emulator::kMostSharedBytes);

struct ErrorRow {
  cudaError_t error;
  const char* name;
  const char* text;
};
constexpr ErrorRow kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined",
     "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
};
const ErrorRow& row_of(cudaError_t error) {
  static constexpr ErrorRow unknown{cudaSuccess, "unrecognized error code",
                                    "unrecognized error code"};
  const auto* row = std::ranges::find(kErrors, error, &ErrorRow::error);
  return row == std::end(kErrors) ? unknown : *row;
}

thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

cudaError_t grimace::cuda::emulator::report(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

const char* cudaGetErrorName(cudaError_t error) {
  return row_of(error).name;
}
const char* cudaGetErrorString(cudaError_t error) {
  return row_of(error).text;
}
cudaError_t cudaGetLastError() {
  return std::exchange(last_error, cudaSuccess);
}
cudaError_t cudaPeekAtLastError() {
  return last_error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return report(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return report(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "emulated GPU");
  size_t free = 0;
  cudaMemGetInfo(&free, &properties->totalGlobalMem);
  properties->sharedMemPerBlock = 48u << 10;
  properties->sharedMemPerBlockOptin = kShared;
  properties->sharedMemPerMultiprocessor = 228u << 10;
  properties->regsPerBlock = 65536;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->multiProcessorCount = kMultiprocessors;
  properties->l2CacheSize = kL2Bytes;
  properties->memoryBusWidth = 5120;
  properties->major = 9;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device != 0) return report(cudaErrorInvalidDevice);
  constexpr struct {
    cudaDeviceAttr attribute;
    int value;
  } rows[] = {{cudaDevAttrMaxThreadsPerBlock, 1024},
              {cudaDevAttrMaxSharedMemoryPerBlock, 48 << 10},
              {cudaDevAttrWarpSize, 32},
              {cudaDevAttrClockRate, 1980000},
              {cudaDevAttrMultiProcessorCount, kMultiprocessors},
              {cudaDevAttrMemoryClockRate, 2619000},
              {cudaDevAttrGlobalMemoryBusWidth, 5120},
              {cudaDevAttrL2CacheSize, kL2Bytes},
              {cudaDevAttrComputeCapabilityMajor, 9},
              {cudaDevAttrComputeCapabilityMinor, 0},
              {cudaDevAttrMaxSharedMemoryPerBlockOptin, kShared}};
  for (const auto& row : rows)
    if (row.attribute == attribute) {
      *value = row.value;
      return cudaSuccess;
    }
  return report(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceSynchronize() {
  if (grimace::cuda::emulator::spoils_a_capture()) return report(cudaErrorStreamCaptureUnsupported);
  grimace::cuda::emulator::finish_everything();
  const std::string damage = grimace::cuda::emulator::damaged_allocation();
  grimace::internal_check(damage.empty(), damage);
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute attribute, int value) {
  const bool too_much =
      attribute == cudaFuncAttributeMaxDynamicSharedMemorySize && (value < 0 || value > kShared);
  return report(too_much ? cudaErrorInvalidValue : cudaSuccess);
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  if (function == nullptr) return report(cudaErrorInvalidValue);
  *attributes = {0, 1024, 32, 48 << 10};
  return cudaSuccess;
}
