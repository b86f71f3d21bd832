#include "backends/cuda/libraries/device_timer.h"

#include <algorithm>
#include <vector>

namespace grimace::cuda {

DeviceBuffer::DeviceBuffer(int64_t bytes) {
  if (cudaMalloc(&data_, static_cast<size_t>(std::max<int64_t>(bytes, 1))) == cudaSuccess) return;
  cudaGetLastError();  // no longer pending: the next launch must not report it
  data_ = nullptr;
}

DeviceBuffer::~DeviceBuffer() {
  cudaFree(data_);
}

DeviceTimer::DeviceTimer() {
  check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  check_cuda(cudaEventCreate(&begin_), "making an event");
  check_cuda(cudaEventCreate(&end_), "making an event");
}

DeviceTimer::~DeviceTimer() {
  cudaEventDestroy(end_);
  cudaEventDestroy(begin_);
  cudaStreamDestroy(stream_);
}

void DeviceTimer::run_once(const std::function<void(cudaStream_t)>& enqueue) {
  enqueue(stream_);
  check_cuda(cudaStreamSynchronize(stream_), "a trial run");
}

double DeviceTimer::seconds_of(const std::function<void(cudaStream_t)>& enqueue, int calls) {
  check_cuda(cudaEventRecord(begin_, stream_), "timing");
  for (int call = 0; call < calls; ++call) enqueue(stream_);
  check_cuda(cudaEventRecord(end_, stream_), "timing");
  check_cuda(cudaEventSynchronize(end_), "timing");
  float milliseconds = 0.0f;
  check_cuda(cudaEventElapsedTime(&milliseconds, begin_, end_), "timing");
  return milliseconds * 1e-3 / calls;
}

double DeviceTimer::seconds(const std::function<void(cudaStream_t)>& enqueue, int repeats) {
  constexpr double kGroup = 1e-3;
  run_once(enqueue);
  const double first = std::max(seconds_of(enqueue, 1), 1e-6);
  const int calls = static_cast<int>(std::clamp(kGroup / first, 1.0, 50.0));
  std::vector<double> times;
  for (int repeat = 0; repeat < repeats; ++repeat) times.push_back(seconds_of(enqueue, calls));
  std::ranges::nth_element(times, times.begin() + repeats / 2);
  return times[static_cast<size_t>(repeats / 2)];
}

}  // namespace grimace::cuda
