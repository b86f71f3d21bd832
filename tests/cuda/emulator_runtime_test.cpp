// The emulated CUDA runtime: memory, streams, captured graphs.
#include <gmock/gmock.h>

#include "backends/cuda/emulator/memory.h"
#include "tests/cuda/gpu_run.h"
#include "tests/testing.h"

namespace grimace::cuda {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

int* device_ints(size_t count) {
  int* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, count * sizeof(int)), cudaSuccess);
  return memory;
}

TEST(EmulatedMemory, is_poisoned_aligned_and_counted) {
  const size_t before = emulator::live_allocations();
  int* memory = device_ints(10);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 256, 0u);
  EXPECT_EQ(emulator::live_allocations(), before + 1);
  std::vector<int> got(10);
  EXPECT_EQ(cudaMemcpy(got.data(), memory, 40, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_THAT(got, Each(-1));
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(emulator::live_allocations(), before);
  EXPECT_EQ(cudaFree(memory), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
}

TEST(EmulatedMemory, runs_out) {
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, size_t{1} << 40), cudaErrorMemoryAllocation);
  EXPECT_STREQ(cudaGetErrorString(cudaGetLastError()), "out of memory");
}

TEST(EmulatedMemory, finds_writes_around_an_allocation) {
  int* memory = device_ints(10);
  const auto writing = [&](int at) {
    return testing::error_of<InternalError>(
        [&] { emulator::launch(1, 1, 0, nullptr, [=] { memory[at] = 0; }); });
  };
  EXPECT_EQ(writing(9), "no error");
  EXPECT_THAT(writing(10), HasSubstr("memory was written 0 bytes beyond the end of an allocation "
                                     "of 40 bytes; in a launch of grid 1x1x1, block 1x1x1"));
  EXPECT_THAT(writing(-1), HasSubstr("bytes before the beginning of an allocation of 40 bytes"));
  memory[11] = 0;
  EXPECT_THAT(testing::error_of<InternalError>([&] { cudaFree(memory); }),
              HasSubstr("4 bytes beyond the end"));
}

TEST(EmulatedMemory, copies_only_where_the_kind_says) {
  int* memory = device_ints(10);
  int host[10] = {};
  EXPECT_EQ(cudaMemcpy(memory, host, 40, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(memory, host, 40, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(memory, host, 44, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, memory, 40, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(memory, host, 40, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(memory + 9, 0, 8), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(host, 0, 8), cudaErrorInvalidValue);
  cudaGetLastError();
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
}

class Capture : public ::testing::Test {
 protected:
  void SetUp() override {
    cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
    counter_ = device_ints(2);
    cudaMemset(counter_, 0, 8);
    ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
  }
  void TearDown() override {
    cudaStreamDestroy(stream_);
    cudaGetLastError();
    cudaFree(counter_);
  }
  void count_on(cudaStream_t stream) {
    emulator::launch(1, 4, 0, stream, [counter = counter_] { atomicAdd(counter, 1); });
  }
  int counted() const {
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    int value = 0;
    EXPECT_EQ(cudaMemcpy(&value, counter_, 4, cudaMemcpyDeviceToHost), cudaSuccess);
    return value;
  }

  cudaStream_t stream_ = nullptr;
  cudaGraph_t graph_ = nullptr;
  int* counter_ = nullptr;
};

TEST_F(Capture, records_launches_copies_and_memsets_and_replays_them_in_order) {
  count_on(stream_);
  cudaMemcpyAsync(counter_ + 1, counter_, 4, cudaMemcpyDeviceToDevice, stream_);
  cudaMemsetAsync(counter_, 0, 4, stream_);
  count_on(stream_);
  count_on(stream_);
  EXPECT_EQ(*counter_, 0) << "nothing runs under capture";
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaSuccess);
  size_t nodes = 0;
  cudaGraphGetNodes(graph_, nullptr, &nodes);
  EXPECT_EQ(nodes, 5u);
  cudaGraphExec_t runnable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&runnable, graph_, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph_), cudaSuccess);
  EXPECT_EQ(counted(), 0);
  for (const int copied : {4, 12, 12}) {
    EXPECT_EQ(cudaGraphLaunch(runnable, stream_), cudaSuccess);
    EXPECT_EQ(counted(), 8);
    EXPECT_EQ(counter_[1], copied);
  }
  EXPECT_EQ(cudaGraphExecDestroy(runnable), cudaSuccess);
}

TEST_F(Capture, is_spoiled_by_synchronising_allocating_and_the_default_stream) {
  const auto spoils = [&](auto&& call, cudaError_t wanted) {
    EXPECT_EQ(call(), wanted);
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph_, nullptr);
    EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
  };
  void* memory = nullptr;
  spoils([&] { return cudaStreamSynchronize(stream_); }, cudaErrorStreamCaptureUnsupported);
  spoils([&] { return cudaDeviceSynchronize(); }, cudaErrorStreamCaptureUnsupported);
  spoils([&] { return cudaMalloc(&memory, 4); }, cudaErrorStreamCaptureUnsupported);
  spoils([&] { return cudaFree(counter_); }, cudaErrorStreamCaptureUnsupported);
  spoils([&] { return cudaMemset(counter_, 0, 4); }, cudaErrorStreamCaptureImplicit);
  EXPECT_THROW(count_on(nullptr), RunError);
}

TEST_F(Capture, goes_on_through_events_and_has_to_be_joined) {
  cudaStream_t other = nullptr;
  cudaEvent_t fork = nullptr, join = nullptr;
  cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
  cudaEventCreateWithFlags(&fork, cudaEventDisableTiming);
  cudaEventCreateWithFlags(&join, cudaEventDisableTiming);
  cudaEventRecord(fork, stream_);
  cudaStreamWaitEvent(other, fork, 0);
  count_on(other);
  EXPECT_EQ(*counter_, 0);
  cudaEventRecord(join, other);
  cudaStreamWaitEvent(stream_, join, 0);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph_), cudaSuccess);
  count_on(other);
  EXPECT_EQ(cudaStreamSynchronize(other), cudaSuccess);
  EXPECT_EQ(counted(), 4) << "the capture ended for both";

  cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal);
  cudaEventRecord(fork, stream_);
  cudaStreamWaitEvent(other, fork, 0);
  count_on(other);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaErrorStreamCaptureUnjoined);
  cudaEventDestroy(fork);
  cudaEventDestroy(join);
  cudaStreamDestroy(other);
}

// ---- Streams that nobody waits for do nothing yet --------------------------------------------
class Streams : public ::testing::Test {
 protected:
  void SetUp() override {
    cudaStreamCreateWithFlags(&first_, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&second_, cudaStreamNonBlocking);
    cudaEventCreate(&event_);
    cudaMallocHost(&pinned_, sizeof(int));
    device_ = device_ints(1);
    *pinned_ = 0;
  }
  void TearDown() override {
    cudaStreamDestroy(first_);
    cudaStreamDestroy(second_);
    cudaEventDestroy(event_);
    cudaFreeHost(pinned_);
    cudaFree(device_);
  }
  void set_on(cudaStream_t stream, int value) {
    emulator::launch(1, 1, 0, stream, [=, to = device_] { *to = value; });
  }
  void read_on(cudaStream_t stream) {
    EXPECT_EQ(cudaMemcpyAsync(pinned_, device_, 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  }

  cudaStream_t first_ = nullptr, second_ = nullptr;
  cudaEvent_t event_ = nullptr;
  int* pinned_ = nullptr;
  int* device_ = nullptr;
};

TEST_F(Streams, work_when_they_are_synchronised) {
  set_on(first_, 1);
  read_on(first_);
  EXPECT_EQ(*pinned_, 0);
  EXPECT_EQ(cudaStreamSynchronize(second_), cudaSuccess);
  EXPECT_EQ(*pinned_, 0);
  EXPECT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
  EXPECT_EQ(*pinned_, 1);
  set_on(first_, 2);
  read_on(first_);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(*pinned_, 2);
}

TEST_F(Streams, read_pinned_memory_late) {
  *pinned_ = 5;
  cudaMemcpyAsync(device_, pinned_, 4, cudaMemcpyHostToDevice, first_);
  *pinned_ = 6;  // too early
  cudaStreamSynchronize(first_);
  EXPECT_EQ(*device_, 6);
  int pageable = 7;
  cudaMemcpyAsync(device_, &pageable, 4, cudaMemcpyHostToDevice, first_);
  pageable = 8;
  cudaStreamSynchronize(first_);
  EXPECT_EQ(*device_, 7);
}

TEST_F(Streams, wait_for_events_up_to_where_they_were_recorded) {
  set_on(first_, 1);
  EXPECT_EQ(cudaEventRecord(event_, first_), cudaSuccess);
  set_on(first_, 2);
  EXPECT_EQ(cudaStreamWaitEvent(second_, event_, 0), cudaSuccess);
  read_on(second_);
  float milliseconds = 0;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event_, event_), cudaErrorNotReady);
  cudaGetLastError();
  EXPECT_EQ(cudaStreamSynchronize(second_), cudaSuccess);
  EXPECT_EQ(*pinned_, 1);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event_, event_), cudaSuccess);
  read_on(first_);
  EXPECT_EQ(cudaEventRecord(event_, first_), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event_), cudaSuccess);
  EXPECT_EQ(*pinned_, 2);
}

TEST_F(Streams, do_nothing_more_after_a_failure) {
  emulator::launch(1, 1, 0, first_, [] { throw RunError("a kernel's own"); });
  set_on(first_, 1);
  EXPECT_THROW(cudaStreamSynchronize(first_), RunError);
  EXPECT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
  EXPECT_EQ(*device_, -1);
}

TEST_F(Streams, that_do_not_block_are_not_waited_for_by_the_default_stream) {
  cudaStream_t blocking = nullptr;
  cudaStreamCreate(&blocking);
  cudaMemset(device_, 0, 4);
  set_on(first_, 1);
  int value = -1;
  cudaMemcpy(&value, device_, 4, cudaMemcpyDeviceToHost);
  EXPECT_EQ(value, 0);
  set_on(blocking, 2);
  cudaMemcpy(&value, device_, 4, cudaMemcpyDeviceToHost);
  EXPECT_EQ(value, 2);
  cudaStreamDestroy(blocking);
}

TEST(EmulatedDevice, has_the_numbers_of_a_gpu) {
  int count = 0, value = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 1);
  cudaDeviceProp properties;
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_STREQ(properties.name, "emulated GPU");
  EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0), cudaSuccess);
  EXPECT_EQ(value, properties.multiProcessorCount);
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  EXPECT_STREQ(cudaGetErrorString(cudaGetLastError()), "invalid device ordinal");
}

}  // namespace
}  // namespace grimace::cuda
