// y = condition ? a : b, with NumPy broadcasting of all three
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(n.in(0).dtype == DType::boolean, "the condition must be bool; got ", n.in(0));
  n.require(n.in(1).dtype == n.in(2).dtype, "both choices must have one element type; got ",
            n.in(1), " and ", n.in(2));
  return {{n.in(1).dtype, broadcast_shape(n, 0, 3)}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const Value zero = b.full(0.0, {}, dy[0].dtype());
  return {Value{}, b.sum_to(b.select(n.input(0), dy[0], zero), n.in(1).shape),
          b.sum_to(b.select(n.input(0), zero, dy[0]), n.in(2).shape)};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto condition = in[0].as<bool>();
  with_word(size_of(n.out().dtype), [&](auto zero) {
    using W = decltype(zero);
    const auto* a = static_cast<const W*>(in[1].data);
    const auto* b = static_cast<const W*>(in[2].data);
    auto* y = static_cast<W*>(out[0].data);
    for_each_broadcast<3>(
        n.out().shape, {n.in(0).shape, n.in(1).shape, n.in(2).shape},
        [&](size_t i, const auto& o) { y[i] = condition[o[0]] ? a[o[1]] : b[o[2]]; });
  });
}

}  // namespace

constinit const OpDef op_select{
    .name = "select",
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
