// Inputs on their way to the device: copied on a stream of their own, so that the next step's
// travel while this one computes. Every input has two slots in pinned host memory and two on the
// device.
#pragma once

#include <array>
#include <vector>

#include "backends/cuda/resources.h"
#include "ir/view.h"

namespace grimace::cuda {

class InputQueue {
 public:
  // Returns the number by which the input is known here. Kernels read it at `offset` of the arena.
  size_t add(int64_t offset, const TensorType& type);
  void allocate(std::byte* arena);  // once, after every add
  int64_t device_bytes() const;

  // Starts the copy of a value, converting its element type; the next move_home() delivers it. A
  // second write before that replaces the first.
  void write(size_t input, ConstView value);
  // Delivers what was written: `stream` waits for the copies and moves them to their homes.
  void move_home(cudaStream_t stream);

 private:
  struct Slot {
    std::byte* pinned = nullptr;
    std::byte* device = nullptr;
    Event copied, moved;
  };
  struct Input {
    int64_t offset = 0;
    TensorType type;
    std::array<Slot, 2> slots;
    int current = 0;
    bool written = false;
  };

  std::vector<Input> inputs_;
  std::byte* arena_ = nullptr;
  PinnedMemory pinned_;
  DeviceMemory device_;
  Stream copies_;
};

}  // namespace grimace::cuda
