// Streams as queues of work, and the captures they take part in: what streams.cpp and graphs.cpp
// share. Everything here is guarded by `stream_mutex`.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "backends/cuda/emulator/runtime.h"

namespace grimace::cuda::emulator {

using Work = std::function<void()>;
using Clock = std::chrono::steady_clock;

extern std::recursive_mutex stream_mutex;
using StreamLock = std::lock_guard<std::recursive_mutex>;

// Outlives its stream where others wait for its work.
struct Queue {
  std::deque<Work> waiting;
  uint64_t enqueued = 0, done = 0;
  bool blocking = true;  // the default stream waits for it

  void push(Work work) {
    waiting.push_back(std::move(work));
    ++enqueued;
  }
  void run_until(uint64_t count);
};

struct Graph {
  std::vector<Work> work;
};
struct RunnableGraph {
  std::shared_ptr<const std::vector<Work>> work;
};

struct Capture {
  Stream* origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  bool spoiled = false;
  std::vector<Stream*> joined;  // other streams that take part
};
void leave_capture(Capture& capture);

struct Stream {
  std::shared_ptr<Queue> queue = std::make_shared<Queue>();
  std::shared_ptr<Capture> capture;
  bool unjoined = false;  // it took part in a capture, and its origin did not wait for it
};

}  // namespace grimace::cuda::emulator
