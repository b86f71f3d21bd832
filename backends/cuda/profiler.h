// Times kernels on the device, one event after each.
#pragma once

#include <vector>

#include "backends/cuda/resources.h"
#include "runtime/profile.h"

namespace grimace::cuda {

class Profiler {
 public:
  void start(cudaStream_t stream);
  void mark(const Node* node, cudaStream_t stream);  // the work since the last mark was this node's
  // Waits for the run and hands its times to `profile`, whose begin_run() said yes.
  void finish(Profile& profile);

 private:
  cudaEvent_t next_event();

  std::vector<Event> events_;
  std::vector<const Node*> nodes_;
  size_t used_ = 0;
};

}  // namespace grimace::cuda
