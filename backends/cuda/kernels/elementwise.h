// The parts of the elementwise family, for elementwise.cu alone.
#pragma once

#include "backends/cuda/kernels.h"

namespace grimace::cuda {

GpuKernel make_binary(const Node&, const Operands&, const Context&);  // binary.cu
GpuKernel make_unary(const Node&, const Operands&, const Context&);   // unary.cu
GpuKernel make_cast(const Node&, const Operands&, const Context&);    // cast.cu
GpuKernel make_gelu(const Node&, const Operands&, const Context&);    // gelu.cu, the gradient too

// "add f32", "cast f32 to bf16"
inline std::string name_of_map(const Node& node) {
  const DType from = node.in(node.num_inputs() - 1).dtype;
  const DType to = node.out().dtype;
  return cat(node.op_name(), " ", from, from == to ? "" : cat(" to ", to));
}

}  // namespace grimace::cuda
