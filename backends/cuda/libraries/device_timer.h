// Time and memory on the current device, for choices that are made by measuring, before anything
// runs. Nothing here throws for lack of memory: whoever measures then does without.
#pragma once

#include <cstdint>
#include <functional>

#include "backends/cuda/launch.h"

namespace grimace::cuda {

// Device memory for as long as it lives; data() is null where the device has none left.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(int64_t bytes);
  ~DeviceBuffer();
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

// A stream of its own, beside whatever else runs.
class DeviceTimer {
 public:
  DeviceTimer();
  ~DeviceTimer();
  DeviceTimer(const DeviceTimer&) = delete;
  DeviceTimer& operator=(const DeviceTimer&) = delete;

  cudaStream_t stream() const { return stream_; }
  // Waits for what `enqueue` puts on the stream, once. RunError when the device reports a failure.
  void run_once(const std::function<void(cudaStream_t)>& enqueue);
  // Seconds that one call takes: the median over `repeats` groups of calls, of about a millisecond
  // each, after one that does not count.
  double seconds(const std::function<void(cudaStream_t)>& enqueue, int repeats);

 private:
  double seconds_of(const std::function<void(cudaStream_t)>& enqueue, int calls);

  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

}  // namespace grimace::cuda
