#include "backends/cuda/profiler.h"

namespace grimace::cuda {

cudaEvent_t Profiler::next_event() {
  if (used_ == events_.size()) events_.push_back(make_event(true));
  return events_[used_++].get();
}

void Profiler::start(cudaStream_t stream) {
  used_ = 0;
  nodes_.clear();
  check_cuda(cudaEventRecord(next_event(), stream), "timing a step");
}

void Profiler::mark(const Node* node, cudaStream_t stream) {
  check_cuda(cudaEventRecord(next_event(), stream), "timing a step");
  nodes_.push_back(node);
}

void Profiler::finish(Profile& profile) {
  check_cuda(cudaEventSynchronize(events_[used_ - 1].get()), "timing a step");
  for (size_t i = 0; i < nodes_.size(); ++i) {
    float milliseconds = 0.0f;
    check_cuda(cudaEventElapsedTime(&milliseconds, events_[i].get(), events_[i + 1].get()),
               "timing a step");
    profile.add(nodes_[i], milliseconds / 1e3);
  }
  profile.end_run();
}

}  // namespace grimace::cuda
