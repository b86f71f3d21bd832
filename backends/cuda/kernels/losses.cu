// Not written yet.
#include "backends/cuda/kernels.h"

namespace grimace::cuda {

bool serves_loss(const Node&) {
  return false;
}
GpuKernel make_loss(const Node& node, const Operands&, const Context&) {
  throw InternalError(node.describe());
}

}  // namespace grimace::cuda
