#include "backends/cuda/emulator/streams.h"

#include <utility>

#include "backends/cuda/emulator/errors.h"
#include "ir/error.h"

namespace grimace::cuda::emulator {

std::recursive_mutex stream_mutex;

struct Event {
  bool timing = true;
  std::shared_ptr<Capture> capture;  // in which it was recorded
  Stream* stream = nullptr;          // of that capture
  std::shared_ptr<Queue> queue;      // in which it was recorded otherwise; null: the default stream
  uint64_t at = 0;                   // and up to where
  std::shared_ptr<Clock::time_point> time;  // null: never recorded
};

namespace {

std::vector<std::shared_ptr<Queue>> queues;

void finish_queues(bool all) {
  for (size_t i = 0; i < queues.size(); ++i)  // by number: work may make streams
    if (const auto queue = queues[i]; all || queue->blocking) queue->run_until(queue->enqueued);
}

void finish_event(const Event& event) {
  if (event.queue != nullptr) event.queue->run_until(event.at);
}

}  // namespace

// Nothing more is done after work that failed, as on a device.
void Queue::run_until(uint64_t count) {
  while (done < count) {
    const Work work = std::move(waiting.front());
    waiting.pop_front();
    ++done;
    try {
      work();
    } catch (...) {
      waiting.clear();
      done = enqueued;
      throw;
    }
  }
}

void finish_everything() {
  const StreamLock lock(stream_mutex);
  finish_queues(true);
}
void finish(cudaStream_t stream) {
  const StreamLock lock(stream_mutex);
  if (stream == nullptr)
    finish_queues(false);
  else
    stream->queue->run_until(stream->queue->enqueued);
}

cudaError_t try_enqueue(cudaStream_t stream, Work work) {
  const StreamLock lock(stream_mutex);
  if (stream == nullptr) {
    if (spoils_a_capture()) return cudaErrorStreamCaptureImplicit;
    finish_queues(false);
    work();
  } else if (stream->capture == nullptr) {
    stream->queue->push(std::move(work));
  } else {
    if (stream->capture->spoiled) return cudaErrorStreamCaptureInvalidated;
    stream->capture->graph->work.push_back(std::move(work));
    stream->unjoined = true;
  }
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
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const StreamLock lock(stream_mutex);
  *stream = new Stream;
  (*stream)->queue->blocking = (flags & cudaStreamNonBlocking) == 0;
  queues.push_back((*stream)->queue);
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const StreamLock lock(stream_mutex);
  if (stream == nullptr) return report(cudaErrorInvalidResourceHandle);
  if (const auto capture = stream->capture) leave_capture(*capture);
  const std::unique_ptr<Stream> owned(stream);
  std::erase(queues, stream->queue);
  finish(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const StreamLock lock(stream_mutex);
  if (stream == nullptr && spoils_a_capture()) return report(cudaErrorStreamCaptureImplicit);
  if (stream != nullptr && stream->capture != nullptr) {
    stream->capture->spoiled = true;
    return report(cudaErrorStreamCaptureUnsupported);
  }
  finish(stream);
  return cudaSuccess;
}
// What is asked for gets done: asking again and again comes to an end.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return cudaStreamSynchronize(stream);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const StreamLock lock(stream_mutex);
  if (event == nullptr) return report(cudaErrorInvalidResourceHandle);
  if (event->capture == nullptr) {
    if (event->queue == nullptr) return cudaSuccess;
    // A captured wait for uncaptured work is refused by CUDA.
    if (stream != nullptr && stream->capture != nullptr)
      return report(cudaErrorStreamCaptureIsolation);
    return report(
        try_enqueue(stream, [queue = event->queue, at = event->at] { queue->run_until(at); }));
  }
  if (stream == nullptr) return report(cudaErrorStreamCaptureImplicit);
  if (stream->capture == nullptr) {
    stream->capture = event->capture;
    stream->capture->joined.push_back(stream);
    stream->unjoined = true;
  }
  if (event->stream != nullptr) event->stream->unjoined = false;
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
  const StreamLock lock(stream_mutex);
  if (event == nullptr) return report(cudaErrorInvalidResourceHandle);
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const StreamLock lock(stream_mutex);
  if (event == nullptr) return report(cudaErrorInvalidResourceHandle);
  event->capture = stream == nullptr ? nullptr : stream->capture;
  event->stream = stream;
  if (event->capture != nullptr) return cudaSuccess;
  event->time = std::make_shared<Clock::time_point>();
  const cudaError_t status = try_enqueue(stream, [time = event->time] { *time = Clock::now(); });
  event->queue = stream == nullptr ? nullptr : stream->queue;
  event->at = stream == nullptr ? 0 : stream->queue->enqueued;
  return report(status);
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const StreamLock lock(stream_mutex);
  if (event == nullptr) return report(cudaErrorInvalidResourceHandle);
  if (event->capture != nullptr) {
    event->capture->spoiled = true;
    return report(cudaErrorStreamCaptureUnsupported);
  }
  finish_event(*event);
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return cudaEventSynchronize(event);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const StreamLock lock(stream_mutex);
  for (const cudaEvent_t event : {start, end}) {
    if (event == nullptr || !event->timing || event->time == nullptr || event->capture != nullptr)
      return report(cudaErrorInvalidResourceHandle);
    if (event->queue != nullptr && event->queue->done < event->at) return report(cudaErrorNotReady);
  }
  *milliseconds = std::chrono::duration<float, std::milli>(*end->time - *start->time).count();
  return cudaSuccess;
}
