// Streams, events, and the capture of their work as graphs. A capture goes on through events, as
// CUDA's does: a stream that waits for an event recorded in it joins it.
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "backends/cuda/emulator/errors.h"
#include "ir/error.h"

namespace grimace::cuda::emulator {

using Work = std::function<void()>;
using Clock = std::chrono::steady_clock;

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
struct Stream {
  std::shared_ptr<Capture> capture;
  bool unjoined = false;  // it took part in a capture, and its origin did not wait for it
};
struct Event {
  bool timing = true;
  std::shared_ptr<Capture> capture;  // in which it was recorded
  Stream* stream = nullptr;
  Clock::time_point time{};
  bool recorded = false;
};

namespace {

std::recursive_mutex mutex;
std::vector<std::shared_ptr<Capture>> captures;
using Lock = std::lock_guard<std::recursive_mutex>;

void leave_capture(Capture& capture) {
  capture.origin->capture = nullptr;
  for (Stream* stream : capture.joined) stream->capture = nullptr;
  std::erase_if(captures, [&](const auto& c) { return c.get() == &capture; });
}

}  // namespace

bool spoils_a_capture() {
  const Lock lock(mutex);
  bool any = false;
  for (const auto& capture : captures) {
    const bool mine = capture->thread == std::this_thread::get_id();
    if (capture->mode == cudaStreamCaptureModeRelaxed ||
        (capture->mode == cudaStreamCaptureModeThreadLocal && !mine))
      continue;
    capture->spoiled = any = true;
  }
  return any;
}

cudaError_t try_enqueue(cudaStream_t stream, Work work) {
  {
    const Lock lock(mutex);
    if (stream == nullptr && spoils_a_capture()) return cudaErrorStreamCaptureImplicit;
    if (stream != nullptr && stream->capture != nullptr) {
      if (stream->capture->spoiled) return cudaErrorStreamCaptureInvalidated;
      stream->capture->graph->work.push_back(std::move(work));
      stream->unjoined = true;
      return cudaSuccess;
    }
  }
  work();
  return cudaSuccess;
}

void enqueue(cudaStream_t stream, Work work) {
  const cudaError_t status = try_enqueue(stream, std::move(work));
  if (status != cudaSuccess)
    throw RunError(cat("CUDA failed in a kernel launch: ", cudaGetErrorString(status)));
}

}  // namespace grimace::cuda::emulator

using namespace grimace::cuda::emulator;

// ---- Streams -------------------------------------------------------------------------------
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = new Stream;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return cudaStreamCreate(stream);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(mutex);
  if (stream == nullptr) return report(cudaErrorInvalidResourceHandle);
  if (const auto capture = stream->capture) leave_capture(*capture);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(mutex);
  if (stream == nullptr)
    return report(spoils_a_capture() ? cudaErrorStreamCaptureImplicit : cudaSuccess);
  if (stream->capture == nullptr) return cudaSuccess;
  stream->capture->spoiled = true;
  return report(cudaErrorStreamCaptureUnsupported);
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return cudaStreamSynchronize(stream);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(mutex);
  if (event == nullptr) return report(cudaErrorInvalidResourceHandle);
  if (stream == nullptr || event->capture == nullptr) return cudaSuccess;
  if (stream->capture == nullptr) {
    stream->capture = event->capture;
    stream->capture->joined.push_back(stream);
    stream->unjoined = true;
  }
  if (event->stream != nullptr) event->stream->unjoined = false;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const Lock lock(mutex);
  if (stream == nullptr || stream->capture != nullptr)
    return report(cudaErrorStreamCaptureUnsupported);
  stream->capture = std::make_shared<Capture>();
  stream->capture->origin = stream;
  stream->capture->mode = mode;
  stream->capture->thread = std::this_thread::get_id();
  captures.push_back(stream->capture);
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Lock lock(mutex);
  *graph = nullptr;
  if (stream == nullptr || stream->capture == nullptr || stream->capture->origin != stream)
    return report(cudaErrorInvalidValue);
  const std::shared_ptr<Capture> capture = stream->capture;
  bool unjoined = false;
  for (const Stream* other : capture->joined) unjoined |= other->unjoined;
  leave_capture(*capture);
  if (capture->spoiled) return report(cudaErrorStreamCaptureInvalidated);
  if (unjoined) return report(cudaErrorStreamCaptureUnjoined);
  *graph = capture->graph.release();
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const Lock lock(mutex);
  *status = stream == nullptr || stream->capture == nullptr ? cudaStreamCaptureStatusNone
            : stream->capture->spoiled                      ? cudaStreamCaptureStatusInvalidated
                                                            : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

// ---- Events --------------------------------------------------------------------------------
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = new Event;
  (*event)->timing = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (event == nullptr) return report(cudaErrorInvalidResourceHandle);
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(mutex);
  if (event == nullptr) return report(cudaErrorInvalidResourceHandle);
  if (stream == nullptr && spoils_a_capture()) return report(cudaErrorStreamCaptureImplicit);
  event->capture = stream == nullptr ? nullptr : stream->capture;
  event->stream = stream;
  event->recorded = true;
  event->time = Clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(mutex);
  if (event == nullptr) return report(cudaErrorInvalidResourceHandle);
  if (event->capture == nullptr) return cudaSuccess;
  event->capture->spoiled = true;
  return report(cudaErrorStreamCaptureUnsupported);
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return cudaEventSynchronize(event);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const Lock lock(mutex);
  for (const cudaEvent_t event : {start, end})
    if (event == nullptr || !event->timing || !event->recorded || event->capture != nullptr)
      return report(cudaErrorInvalidResourceHandle);
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return cudaSuccess;
}

// ---- Graphs --------------------------------------------------------------------------------
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (graph == nullptr || nodes != nullptr) return report(cudaErrorInvalidValue);
  *count = graph->work.size();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* runnable, cudaGraph_t graph, unsigned long long) {
  if (graph == nullptr) return report(cudaErrorInvalidValue);
  *runnable = new RunnableGraph{std::make_shared<const std::vector<Work>>(graph->work)};
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t runnable, cudaStream_t) {
  return report(runnable == nullptr ? cudaErrorInvalidValue : cudaSuccess);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t runnable, cudaStream_t stream) {
  if (runnable == nullptr) return report(cudaErrorInvalidValue);
  return report(try_enqueue(stream, [work = runnable->work] {
    for (const Work& w : *work) w();
  }));
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  if (graph == nullptr) return report(cudaErrorInvalidValue);
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t runnable) {
  if (runnable == nullptr) return report(cudaErrorInvalidValue);
  delete runnable;
  return cudaSuccess;
}
