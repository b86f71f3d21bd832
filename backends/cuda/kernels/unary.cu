// Functions of one float, computed in f32 by CUDA's own functions at their full precision.
#include <cfloat>

#include "backends/cuda/kernels/elementwise.h"
#include "backends/cuda/kernels/map.h"

namespace grimace::cuda {
namespace {

// clang-format off
struct Neg { __device__ float operator()(float x) const { return -x; } };
struct Exp { __device__ float operator()(float x) const { return expf(x); } };
struct Log { __device__ float operator()(float x) const { return logf(x); } };
struct Sqrt { __device__ float operator()(float x) const { return sqrtf(x); } };
struct Rsqrt { __device__ float operator()(float x) const { return 1.0f / sqrtf(x); } };
struct Erf { __device__ float operator()(float x) const { return erff(x); } };
struct Floor { __device__ float operator()(float x) const { return floorf(x); } };
struct IsFinite { __device__ bool operator()(float x) const { return fabsf(x) <= FLT_MAX; } };
// clang-format on

template <typename F>
GpuKernel make(const Node& node, const Operands& operands, const Context& context) {
  return with_float(node.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    using R = std::conditional_t<std::is_same_v<F, IsFinite>, bool, T>;
    return make_map<F, R, T>(name_of_map(node), node, operands, context);
  });
}

constexpr std::pair<const OpDef*, MakeKernel> kMakers[] = {
    {&op_neg, make<Neg>},     {&op_exp, make<Exp>},
    {&op_log, make<Log>},     {&op_sqrt, make<Sqrt>},
    {&op_rsqrt, make<Rsqrt>}, {&op_erf, make<Erf>},
    {&op_floor, make<Floor>}, {&op_is_finite, make<IsFinite>},
};

}  // namespace

GpuKernel make_unary(const Node& node, const Operands& operands, const Context& context) {
  for (const auto& [op, maker] : kMakers)
    if (node.is(*op)) return maker(node, operands, context);
  throw InternalError(node.describe());
}

}  // namespace grimace::cuda
