// Not written yet.
#include "backends/cuda/kernels.h"

namespace grimace::cuda {

bool serves_optimizer(const Node&) {
  return false;
}
GpuKernel make_optimizer(const Node& node, const Operands&, const Context&) {
  throw InternalError(node.describe());
}

}  // namespace grimace::cuda
