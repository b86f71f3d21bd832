// Arithmetic and comparison of two numbers; 16-bit floats are computed in f32 and rounded once.
// maximum and minimum are what the reference's comparison makes of NaN.
#include "backends/cuda/kernels/elementwise.h"
#include "backends/cuda/kernels/map.h"

namespace grimace::cuda {
namespace {

// clang-format off
struct Add { template <typename T> __device__ T operator()(T a, T b) const { return a + b; } };
struct Sub { template <typename T> __device__ T operator()(T a, T b) const { return a - b; } };
struct Mul { template <typename T> __device__ T operator()(T a, T b) const { return a * b; } };
struct Div { template <typename T> __device__ T operator()(T a, T b) const { return a / b; } };
struct Maximum { template <typename T> __device__ T operator()(T a, T b) const { return a < b ? b : a; } };
struct Minimum { template <typename T> __device__ T operator()(T a, T b) const { return b < a ? b : a; } };
struct Less { template <typename T> __device__ bool operator()(T a, T b) const { return a < b; } };
// clang-format on

template <typename F>
GpuKernel make(const Node& node, const Operands& operands, const Context& context) {
  const auto make_for = [&](auto zero) {
    using T = decltype(zero);
    using R = std::conditional_t<std::is_same_v<F, Less>, bool, T>;
    return make_map<F, R, T, T>(name_of_map(node), node, operands, context);
  };
  if constexpr (std::is_same_v<F, Div>)
    return with_float(node.in(0).dtype, make_for);
  else
    return with_number(node.in(0).dtype, make_for);
}

constexpr std::pair<const OpDef*, MakeKernel> kMakers[] = {
    {&op_add, make<Add>},   {&op_sub, make<Sub>},         {&op_mul, make<Mul>},
    {&op_div, make<Div>},   {&op_maximum, make<Maximum>}, {&op_minimum, make<Minimum>},
    {&op_less, make<Less>},
};

}  // namespace

GpuKernel make_binary(const Node& node, const Operands& operands, const Context& context) {
  for (const auto& [op, maker] : kMakers)
    if (node.is(*op)) return maker(node, operands, context);
  throw InternalError(node.describe());
}

}  // namespace grimace::cuda
