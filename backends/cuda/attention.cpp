// Which kernel computes an attention or attention_grad node.
#include "backends/cuda/attention.h"

#include <algorithm>

#include "backends/cuda/kernels.h"
#include "backends/cuda/sdpa.h"

namespace grimace::cuda {
namespace {

// Rows so long that cuDNN's kernels, which are tuned for the device, are expected to win; short
// ones have kernels of their own here.
constexpr int64_t kLong = 256;

ops::AttentionShape shape_of(const Node& node) {
  return ops::attention_shape(node, node.num_inputs() - (node.is(op_attention_grad) ? 1 : 0));
}

bool writes_nothing(const Operands& operands) {
  return std::ranges::all_of(operands.out, [](const View& y) { return y.type.numel() == 0; });
}

}  // namespace

bool serves_attention(const Node& node) {
  return is_gpu_float(node.in(0).dtype) && shape_of(node).width <= kWidestHead;
}

GpuKernel make_attention(const Node& node, const Operands& operands, const Context& context) {
  if (writes_nothing(operands)) return nothing();
  const ops::AttentionShape s = shape_of(node);
  const bool gradient = node.is(op_attention_grad);
  const bool mma = has_mma_attention(node.in(0).dtype, s);
  if (!s.empty() && (!mma || std::min(s.queries, s.keys) >= kLong))
    if (std::optional<GpuKernel> kernel = make_sdpa(node, operands, context)) return *kernel;
  if (mma)
    return gradient ? make_mma_attention_grad(node, operands, context)
                    : make_mma_attention(node, operands, context);
  GpuKernel kernel = gradient ? make_general_attention_grad(node, operands, context)
                              : make_general_attention(node, operands, context);
  // Of f32 nothing faster is to be had; 16 bits could have been multiplied by tensor cores.
  kernel.fast = node.in(0).dtype == DType::f32 || s.empty();
  return kernel;
}

}  // namespace grimace::cuda
