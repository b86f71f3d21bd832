// Captures and graphs. A capture goes on through events, as CUDA's does: a stream that waits for an
// event recorded in it joins it.
#include "backends/cuda/emulator/errors.h"
#include "backends/cuda/emulator/streams.h"

namespace grimace::cuda::emulator {
namespace {

std::vector<std::shared_ptr<Capture>> captures;

}  // namespace

void leave_capture(Capture& capture) {
  capture.origin->capture = nullptr;
  for (Stream* stream : capture.joined) stream->capture = nullptr;
  std::erase_if(captures, [&](const auto& c) { return c.get() == &capture; });
}

bool spoils_a_capture() {
  const StreamLock lock(stream_mutex);
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

}  // namespace grimace::cuda::emulator

using namespace grimace::cuda::emulator;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const StreamLock lock(stream_mutex);
  if (stream == nullptr || stream->capture != nullptr)
    return report(cudaErrorStreamCaptureUnsupported);
  auto capture = std::make_shared<Capture>();
  capture->origin = stream;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  captures.push_back(capture);
  stream->capture = std::move(capture);
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const StreamLock lock(stream_mutex);
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
  const StreamLock lock(stream_mutex);
  *status = stream == nullptr || stream->capture == nullptr ? cudaStreamCaptureStatusNone
            : stream->capture->spoiled                      ? cudaStreamCaptureStatusInvalidated
                                                            : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

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
