#include "backends/cuda/input_queue.h"

#include "runtime/plan.h"
#include "runtime/tensor.h"

namespace grimace::cuda {
namespace {

int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

size_t InputQueue::add(int64_t offset, const TensorType& type) {
  inputs_.push_back({.offset = offset, .type = type, .slots = {}});
  return inputs_.size() - 1;
}

int64_t InputQueue::device_bytes() const {
  int64_t bytes = 0;
  for (const Input& input : inputs_) bytes += 2 * aligned(input.type.bytes());
  return bytes;
}

void InputQueue::allocate(std::byte* arena) {
  arena_ = arena;
  const int64_t bytes = device_bytes();
  pinned_ = allocate_pinned(bytes);
  device_ = allocate_device(bytes);
  copies_ = make_stream();
  int64_t offset = 0;
  for (Input& input : inputs_)
    for (Slot& slot : input.slots) {
      slot.pinned = static_cast<std::byte*>(pinned_.get()) + offset;
      slot.device = static_cast<std::byte*>(device_.get()) + offset;
      slot.copied = make_event();
      slot.moved = make_event();
      offset += aligned(input.type.bytes());
    }
}

void InputQueue::write(size_t index, ConstView value) {
  Input& input = inputs_[index];
  if (!input.written) input.current ^= 1;
  Slot& slot = input.slots[static_cast<size_t>(input.current)];
  // The copy before the last may still read this slot; then this waits for it. The device side is
  // free when the copy home is done.
  check_cuda(cudaEventSynchronize(slot.copied.get()), "waiting for an input's copy");
  convert(value, {input.type, slot.pinned});
  check_cuda(cudaStreamWaitEvent(copies_.get(), slot.moved.get(), 0), "ordering an input's copy");
  check_cuda(cudaMemcpyAsync(slot.device, slot.pinned, static_cast<size_t>(input.type.bytes()),
                             cudaMemcpyHostToDevice, copies_.get()),
             "copying an input to the device");
  check_cuda(cudaEventRecord(slot.copied.get(), copies_.get()), "ordering an input's copy");
  input.written = true;
}

void InputQueue::move_home(cudaStream_t stream) {
  for (Input& input : inputs_) {
    if (!input.written) continue;
    Slot& slot = input.slots[static_cast<size_t>(input.current)];
    check_cuda(cudaStreamWaitEvent(stream, slot.copied.get(), 0), "ordering an input's copy");
    check_cuda(
        cudaMemcpyAsync(arena_ + input.offset, slot.device, static_cast<size_t>(input.type.bytes()),
                        cudaMemcpyDeviceToDevice, stream),
        "moving an input home");
    check_cuda(cudaEventRecord(slot.moved.get(), stream), "ordering an input's copy");
    input.written = false;
  }
}

}  // namespace grimace::cuda
