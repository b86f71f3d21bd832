// The table of kernels, and the way back to the reference kernel where it has no row.
#include "backends/cpu/cpu_kernels.h"

#include "backends/cpu/kernels.h"
#include "ir/op_def.h"

namespace grimace::cpu {
namespace {

// Below this a reference kernel is as good as any: waking the threads costs more.
constexpr int64_t kSmallBytes = 64 << 10;

struct KernelRow {
  const OpDef* op;
  bool (*serves)(const Node&);
  MakeKernel make;
};

bool any_type(const Node&) {
  return true;
}
bool f32_or_bf16(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16;
}
bool f32(const Node& node) {
  return node.in(0).dtype == DType::f32;
}
bool f32_result(const Node& node) {
  return node.out().dtype == DType::f32;
}
bool f32_or_bf16(const Node& node) {
  return f32_or_bf16(node.in(0).dtype) && f32_or_bf16(node.out().dtype);
}
bool layer_norm(const Node& node) {
  return f32(node) && f32_or_bf16(node.out().dtype);
}
bool layer_norm_grad(const Node& node) {
  return f32_or_bf16(node.in(0).dtype) && node.in(1).dtype == DType::f32;
}

constexpr KernelRow kKernels[] = {
    {&op_add, f32, make_add},
    {&op_sub, f32, make_sub},
    {&op_mul, f32, make_mul},
    {&op_div, f32, make_div},
    {&op_maximum, f32, make_maximum},
    {&op_minimum, f32, make_minimum},
    {&op_less, f32, make_less},
    {&op_logical_and, any_type, make_logical_and},
    {&op_select, any_type, make_select},
    {&op_neg, f32, make_neg},
    {&op_exp, f32, make_exp},
    {&op_log, f32, make_log},
    {&op_sqrt, f32, make_sqrt},
    {&op_rsqrt, f32, make_rsqrt},
    {&op_erf, f32, make_erf},
    {&op_floor, f32, make_floor},
    {&op_is_finite, f32, make_is_finite},
    {&op_cast, serves_cast, make_cast},
    {&op_gelu, f32_or_bf16, make_gelu},
    {&op_gelu_grad, f32_or_bf16, make_gelu_grad},
    {&op_matmul, f32_or_bf16, make_matmul},
    {&op_linear, f32_or_bf16, make_linear},
    {&op_reduce_sum, f32_or_bf16, make_reduce_sum},
    {&op_transpose, any_type, make_transpose},
    {&op_broadcast, any_type, make_broadcast},
    {&op_slice, any_type, make_slice},
    {&op_pad, any_type, make_pad},
    {&op_concat, any_type, make_concat},
    {&op_gather_rows, any_type, make_gather_rows},
    {&op_scatter_rows, f32, make_scatter_rows},
    {&op_attention, serves_attention, make_attention},
    {&op_attention_grad, serves_attention, make_attention_grad},
    {&op_softmax, f32, make_softmax},
    {&op_softmax_grad, f32, make_softmax_grad},
    {&op_layer_norm, layer_norm, make_layer_norm},
    {&op_layer_norm_grad, layer_norm_grad, make_layer_norm_grad},
    {&op_normalise_pixels, f32_result, make_normalise_pixels},
    {&op_reconstruction_target, serves_reconstruction_target, make_reconstruction_target},
    {&op_reconstruction_loss, serves_reconstruction_loss, make_reconstruction_loss},
    {&op_global_norm, f32, make_global_norm},
    {&op_adamw, f32, make_adamw},
};

const KernelRow* row_of(const Node& node) {
  for (const KernelRow& row : kKernels)
    if (node.is(*row.op)) return row.serves(node) ? &row : nullptr;
  return nullptr;
}

}  // namespace

bool has_kernel(const Node& node) {
  return row_of(node) != nullptr;
}

// A view never runs, and a node without inputs runs once.
bool is_fast(const Node& node) {
  return has_kernel(node) || is_view(node) || node.num_inputs() == 0 ||
         bytes_of(node) <= kSmallBytes;
}

Kernel CpuKernels::make(const Node& node, const Operands& operands) {
  if (const KernelRow* row = row_of(node)) return row->make(node, operands, context_);
  return reference_kernel(node, operands);
}

}  // namespace grimace::cpu
