// Which file computes an elementwise op, and on which element types. select moves elements, so it
// takes any of their size.
#include "backends/cuda/kernels/elementwise.h"

#include "backends/cuda/kernels/map.h"
#include "ir/ops/layout.h"

namespace grimace::cuda {
namespace {

struct And {
  __device__ bool operator()(bool a, bool b) const { return a & b; }
};
GpuKernel make_logical_and(const Node& node, const Operands& operands, const Context& context) {
  return make_map<And, bool, bool, bool>(name_of_map(node), node, operands, context);
}

struct Select {
  template <typename W>
  __device__ W operator()(bool condition, W a, W b) const {
    return condition ? a : b;
  }
};
GpuKernel make_select(const Node& node, const Operands& operands, const Context& context) {
  GpuKernel kernel;
  ops::with_word(size_of(node.out().dtype), [&](auto word) {
    using W = decltype(word);
    kernel = make_map<Select, W, bool, W, W>(name_of_map(node), node, operands, context);
  });
  return kernel;
}

bool any(DType) {
  return true;
}

struct Row {
  const OpDef* op;
  bool (*takes)(DType);  // element types of operand 0
  MakeKernel make;
};
constexpr Row kRows[] = {
    {&op_neg, is_gpu_float, make_unary},       {&op_exp, is_gpu_float, make_unary},
    {&op_log, is_gpu_float, make_unary},       {&op_sqrt, is_gpu_float, make_unary},
    {&op_rsqrt, is_gpu_float, make_unary},     {&op_erf, is_gpu_float, make_unary},
    {&op_floor, is_gpu_float, make_unary},     {&op_is_finite, is_gpu_float, make_unary},
    {&op_cast, is_gpu_element, make_cast},     {&op_add, is_gpu_number, make_binary},
    {&op_sub, is_gpu_number, make_binary},     {&op_mul, is_gpu_number, make_binary},
    {&op_div, is_gpu_float, make_binary},      {&op_maximum, is_gpu_number, make_binary},
    {&op_minimum, is_gpu_number, make_binary}, {&op_less, is_gpu_number, make_binary},
    {&op_logical_and, any, make_logical_and},  {&op_select, any, make_select},
    {&op_gelu, is_gpu_float, make_gelu},       {&op_gelu_grad, is_gpu_float, make_gelu},
};

const Row* row_of(const Node& node) {
  const auto* row = std::ranges::find_if(kRows, [&](const Row& r) { return node.is(*r.op); });
  return row == std::end(kRows) || !row->takes(node.in(0).dtype) ? nullptr : row;
}

}  // namespace

bool serves_elementwise(const Node& node) {
  const Row* row = row_of(node);
  return row != nullptr && (!node.is(op_cast) || is_gpu_element(node.out().dtype));
}

GpuKernel make_elementwise(const Node& node, const Operands& operands, const Context& context) {
  return row_of(node)->make(node, operands, context);
}

}  // namespace grimace::cuda
