// The table of kernels.
#include "backends/cuda/cuda_kernels.h"

#include <algorithm>

#include "ir/op_def.h"

namespace grimace::cuda {
namespace {

struct KernelRow {
  const OpDef* op;
  bool (*serves)(const Node&);
  MakeKernel make;
};

constexpr KernelRow kKernels[] = {
    {&op_neg, serves_elementwise, make_elementwise},
    {&op_exp, serves_elementwise, make_elementwise},
    {&op_log, serves_elementwise, make_elementwise},
    {&op_sqrt, serves_elementwise, make_elementwise},
    {&op_rsqrt, serves_elementwise, make_elementwise},
    {&op_erf, serves_elementwise, make_elementwise},
    {&op_floor, serves_elementwise, make_elementwise},
    {&op_is_finite, serves_elementwise, make_elementwise},
    {&op_cast, serves_elementwise, make_elementwise},
    {&op_add, serves_elementwise, make_elementwise},
    {&op_sub, serves_elementwise, make_elementwise},
    {&op_mul, serves_elementwise, make_elementwise},
    {&op_div, serves_elementwise, make_elementwise},
    {&op_maximum, serves_elementwise, make_elementwise},
    {&op_minimum, serves_elementwise, make_elementwise},
    {&op_less, serves_elementwise, make_elementwise},
    {&op_logical_and, serves_elementwise, make_elementwise},
    {&op_select, serves_elementwise, make_elementwise},
    {&op_gelu, serves_elementwise, make_elementwise},
    {&op_gelu_grad, serves_elementwise, make_elementwise},
    {&op_matmul, serves_product, make_product},
    {&op_linear, serves_product, make_product},
    {&op_reduce_sum, serves_reduce, make_reduce},
    {&op_transpose, serves_copy, make_copy},
    {&op_broadcast, serves_copy, make_copy},
    {&op_slice, serves_copy, make_copy},
    {&op_pad, serves_copy, make_copy},
    {&op_concat, serves_copy, make_copy},
    {&op_gather_rows, serves_tokens, make_tokens},
    {&op_scatter_rows, serves_tokens, make_tokens},
    {&op_mask_indices, serves_tokens, make_tokens},
    {&op_one_hot, serves_tokens, make_tokens},
    {&op_full, serves_source, make_source},
    {&op_position_table, serves_source, make_source},
    {&op_random_uniform, serves_source, make_source},
    {&op_attention, serves_attention, make_attention},
    {&op_attention_grad, serves_attention, make_attention},
    {&op_softmax, serves_softmax, make_softmax},
    {&op_softmax_grad, serves_softmax, make_softmax},
    {&op_layer_norm, serves_layer_norm, make_layer_norm},
    {&op_layer_norm_grad, serves_layer_norm, make_layer_norm},
    {&op_normalise_pixels, serves_pixels, make_pixels},
    {&op_reconstruction_target, serves_loss, make_loss},
    {&op_mean_squared_error, serves_loss, make_loss},
    {&op_reconstruction_loss, serves_loss, make_loss},
    {&op_cross_entropy, serves_loss, make_loss},
    {&op_global_norm, serves_optimizer, make_optimizer},
    {&op_adamw, serves_optimizer, make_optimizer},
};

const KernelRow* row_of(const Node& node) {
  const auto* row = std::ranges::find_if(
      kKernels, [&](const KernelRow& r) { return node.is(*r.op) && r.serves(node); });
  return row == std::end(kKernels) ? nullptr : row;
}

}  // namespace

bool has_kernel(const Node& node) {
  return row_of(node) != nullptr;
}

GpuKernel make_kernel(const Node& node, const Operands& operands, const Context& context) {
  const KernelRow* row = row_of(node);
  check(row != nullptr, node.describe(), ": the cuda backend has no kernel for it with result ",
        node.out(), "; use --backend cpu");
  return row->make(node, operands, context);
}

}  // namespace grimace::cuda
