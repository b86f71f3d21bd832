// What belongs to a device and must be given back: memory, streams, events, captured graphs.
#pragma once

#include <cstddef>
#include <utility>

#include "backends/cuda/launch.h"

namespace grimace::cuda {

// Owns a handle H that `destroy` gives back; moves, does not copy.
template <typename H, cudaError_t (*destroy)(H)>
class Owned {
 public:
  Owned() = default;
  explicit Owned(H handle) : handle_(handle) {}
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, H{})) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  // A device in a sticky error answers errors here too; the one that made it so was reported.
  ~Owned() {
    if (handle_ != H{}) static_cast<void>(destroy(handle_));
  }
  H get() const { return handle_; }
  explicit operator bool() const { return handle_ != H{}; }

 private:
  H handle_{};
};

inline cudaError_t free_device(void* memory) {
  return cudaFree(memory);
}
inline cudaError_t free_pinned(void* memory) {
  return cudaFreeHost(memory);
}
using DeviceMemory = Owned<void*, free_device>;
using PinnedMemory = Owned<void*, free_pinned>;
using Stream = Owned<cudaStream_t, cudaStreamDestroy>;
using Event = Owned<cudaEvent_t, cudaEventDestroy>;
using CapturedGraph = Owned<cudaGraph_t, cudaGraphDestroy>;
using RunnableGraph = Owned<cudaGraphExec_t, cudaGraphExecDestroy>;

// All throw RunError when the device refuses. A size of 0 becomes 1 byte: every tensor has an
// address.
DeviceMemory allocate_device(int64_t bytes);
PinnedMemory allocate_pinned(int64_t bytes);
Stream make_stream();                   // does not wait for the default stream
Event make_event(bool timing = false);  // one without timing is cheaper

}  // namespace grimace::cuda
