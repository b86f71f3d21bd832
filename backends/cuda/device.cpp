#include "backends/cuda/device.h"

namespace grimace::cuda {
namespace {

std::string version_text(int version) {  // 13000 is 13.0
  return cat(version / 1000, ".", version % 1000 / 10);
}

struct Versions {
  int driver = 0;  // 0: none installed
  int runtime = 0;
};
Versions versions() {
  Versions v;
  check_cuda(cudaDriverGetVersion(&v.driver), "asking for the driver's version");
  check_cuda(cudaRuntimeGetVersion(&v.runtime), "asking for the runtime's version");
  return v;
}

// The number of devices, or why there is none.
int count_devices(std::string& problem) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  const Versions v = versions();
  if (v.driver == 0)
    problem = "no NVIDIA driver is installed";
  else if (v.driver / 1000 < v.runtime / 1000)
    problem = cat("the NVIDIA driver serves CUDA ", version_text(v.driver),
                  " and this build needs ", version_text(v.runtime), "; update the driver");
  else
    problem = cat("no NVIDIA GPU is visible (", cudaGetErrorString(status),
                  "); look at nvidia-smi and CUDA_VISIBLE_DEVICES");
  static_cast<void>(cudaGetLastError());
  return 0;
}

Properties properties_of(int ordinal) {
  cudaDeviceProp found{};
  check_cuda(cudaGetDeviceProperties(&found, ordinal), "asking for a device's properties");
  return {.name = found.name,
          .capability = 10 * found.major + found.minor,
          .multiprocessors = found.multiProcessorCount,
          .memory_bytes = static_cast<int64_t>(found.totalGlobalMem)};
}

// Of the device in use.
std::string architecture_problem(const Properties& p) {
  const cudaError_t status = probe_kernels();
  if (status == cudaSuccess) return "";
  static_cast<void>(cudaGetLastError());
  return cat(p.name, " has compute capability ", p.capability / 10, ".", p.capability % 10,
             ", for which this build has no kernels (", cudaGetErrorString(status),
             "); build with -DGRIMACE_CUDA_ARCHITECTURES=", p.capability);
}

}  // namespace

Properties open_device(int ordinal) {
  std::string problem;
  const int count = count_devices(problem);
  check(count > 0, "the cuda backend cannot run: ", problem, "; or use --backend cpu");
  check(ordinal >= 0 && ordinal < count, "there is no device ", ordinal, ": this machine has ",
        count, count == 1 ? " GPU, device 0" : cat(" GPUs, devices 0 to ", count - 1));
  check_cuda(cudaSetDevice(ordinal), "choosing a device");
  const Properties p = properties_of(ordinal);
  problem = architecture_problem(p);
  check(problem.empty(), "the cuda backend cannot run: ", problem);
  return p;
}

DevicesReport find_devices() {
  DevicesReport report;
  const int count = count_devices(report.problem);
  int current = 0;
  if (count > 0) check_cuda(cudaGetDevice(&current), "asking for the current device");
  const Versions v = versions();
  if (v.driver > 0) report.driver = version_text(v.driver);
  report.runtime = version_text(v.runtime);
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    DeviceReport device{.ordinal = ordinal, .properties = properties_of(ordinal)};
    check_cuda(cudaSetDevice(ordinal), "choosing a device");
    device.problem = architecture_problem(device.properties);
    if (device.problem.empty()) device.free_bytes = free_device_bytes();
    report.devices.push_back(std::move(device));
  }
  if (count > 0) check_cuda(cudaSetDevice(current), "choosing a device");
  return report;
}

int64_t free_device_bytes() {
  size_t free = 0;
  size_t total = 0;
  check_cuda(cudaMemGetInfo(&free, &total), "asking for free device memory");
  return static_cast<int64_t>(free);
}

}  // namespace grimace::cuda
