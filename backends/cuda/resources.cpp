#include "backends/cuda/resources.h"

#include <algorithm>

namespace grimace::cuda {

DeviceMemory allocate_device(int64_t bytes) {
  void* memory = nullptr;
  check_cuda(cudaMalloc(&memory, static_cast<size_t>(std::max<int64_t>(bytes, 1))),
             "allocating device memory");
  return DeviceMemory(memory);
}

PinnedMemory allocate_pinned(int64_t bytes) {
  void* memory = nullptr;
  check_cuda(cudaMallocHost(&memory, static_cast<size_t>(std::max<int64_t>(bytes, 1))),
             "allocating pinned host memory");
  return PinnedMemory(memory);
}

Stream make_stream() {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  return Stream(stream);
}

Event make_event(bool timing) {
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, timing ? cudaEventDefault : cudaEventDisableTiming),
             "making an event");
  return Event(event);
}

}  // namespace grimace::cuda
