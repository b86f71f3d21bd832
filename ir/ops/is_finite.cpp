// y = x is neither infinite nor NaN, as bool
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  return {{DType::boolean, infer_unary(n)[0].shape}};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  with_float(n.in(0).dtype, [&](auto zero) {
    const auto x = in[0].as<decltype(zero)>();
    const auto y = out[0].as<bool>();
    for (size_t i = 0; i < x.size(); ++i) y[i] = std::isfinite(x[i]);
  });
}

}  // namespace

constinit const OpDef op_is_finite{
    .name = "is_finite",
    .infer = infer,
    .flops = one_flop_per_element,
    .reference = reference,
    .elementwise = true,
};

}  // namespace grimace
