// Not written yet.
#include "backends/cuda/kernels.h"

namespace grimace::cuda {

bool serves_source(const Node&) {
  return false;
}
GpuKernel make_source(const Node& node, const Operands&, const Context&) {
  throw InternalError(node.describe());
}

}  // namespace grimace::cuda
