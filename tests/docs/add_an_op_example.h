// y = x where x > 0, slope * x elsewhere
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(n.real("slope") >= 0.0, "slope must not be negative; got ", n.real("slope"));
  return infer_unary(n);
}

Value negative(Builder& b, const Node& n) {
  return b.less(n.input(0), b.full(0.0, {}, n.in(0).dtype));
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.select(negative(b, n), dy[0] * n.real("slope"), dy[0])};
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Value x = n.input(0);
  return {b.select(negative(b, n), x * n.real("slope"), x)};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto slope = static_cast<T>(n.real("slope"));
    const auto x = in[0].as<T>();
    const auto y = out[0].as<T>();
    for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] < 0 ? slope * x[i] : x[i];
  });
}

}  // namespace

constinit const OpDef op_leaky_relu{
    .name = "leaky_relu",
    .attrs = {{{"slope", AttrKind::real, "0.01"}}},
    .infer = infer,
    .flops = one_flop_per_element,
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
