#include "backends/cuda/libraries/cublaslt_device.h"

#include <map>
#include <memory>
#include <mutex>

#include "backends/cuda/libraries/cublaslt_library.h"

namespace grimace::cuda {
namespace {

AlgorithmOwner owner_of(int device) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, device), "reading a device's properties");
  int driver = 0;
  check_cuda(cudaDriverGetVersion(&driver), "reading the driver's version");
  return {properties.name, driver, static_cast<int64_t>(cublaslt().GetVersion())};
}

}  // namespace

void check_cublaslt(cublasStatus_t status, const char* what, const std::string& node_text) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw RunError(cat("cuBLASLt failed in ", what, " for ", node_text, ": ",
                     cublaslt().GetStatusString(status)));
}

CublasLtDevice& cublaslt_device(const std::string& node_text) {
  // Never destroyed: at exit the CUDA runtime may be gone before us.
  static auto* const devices = new std::map<int, std::unique_ptr<CublasLtDevice>>;
  static auto* const mutex = new std::mutex;
  const std::lock_guard lock(*mutex);
  int device = 0;
  check_cuda(cudaGetDevice(&device), "asking for the current device");
  std::unique_ptr<CublasLtDevice>& entry = (*devices)[device];
  if (entry == nullptr) {
    cublasLtHandle_t handle = nullptr;
    check_cublaslt(cublaslt().Create(&handle), "starting the library", node_text);
    entry.reset(new CublasLtDevice{
        handle, AlgorithmCache(AlgorithmCache::default_folder(), owner_of(device)), {}, {}});
  }
  return *entry;
}

}  // namespace grimace::cuda
