// y = a and b on bool tensors, with NumPy broadcasting
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(n.in(0).dtype == DType::boolean && n.in(1).dtype == DType::boolean,
            "inputs must be bool tensors; got ", n.in(0), " and ", n.in(1));
  return {{DType::boolean, broadcast_shape(n, 0, 2)}};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto a = in[0].as<bool>();
  const auto b = in[1].as<bool>();
  const auto y = out[0].as<bool>();
  for_each_broadcast<2>(n.out().shape, {n.in(0).shape, n.in(1).shape},
                        [&](size_t i, const auto& o) { y[i] = a[o[0]] && b[o[1]]; });
}

}  // namespace

constinit const OpDef op_logical_and{
    .name = "logical_and",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .elementwise = true,
    .commutative = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
