// y = the sum of x over `axes`; with `keep` they stay as axes of length 1. 16-bit floats are summed
// in, and come out as, f32.
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<int64_t> kept_dims(const Node& n) {
  std::vector<int64_t> dims = n.in(0).shape.to_vector();
  for (const int64_t axis : n.integers("axes")) dims[static_cast<size_t>(axis)] = 1;
  return dims;
}

std::vector<TensorType> infer(const Node& n) {
  n.require(is_float(n.in(0).dtype), "input must be a float tensor; got ", n.in(0));
  std::vector<bool> reduced(kMaxRank, false);
  for (const int64_t axis : n.integers("axes")) {
    require_axis(n, axis);
    n.require(!reduced[static_cast<size_t>(axis)], "axis ", axis, " is named twice");
    reduced[static_cast<size_t>(axis)] = true;
  }
  std::vector<int64_t> dims = kept_dims(n);
  if (!n.flag("keep")) {
    dims.clear();
    for (int axis = 0; axis < n.in(0).shape.rank(); ++axis)
      if (!reduced[static_cast<size_t>(axis)]) dims.push_back(n.in(0).shape[axis]);
  }
  return {{sum_dtype(n.in(0).dtype), Shape(dims)}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.broadcast(b.reshape(b.cast(dy[0], n.in(0).dtype), kept_dims(n)), n.in(0).shape)};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const Shape kept(kept_dims(n));
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].as<T>();
    const auto y = out[0].as<T>();
    std::fill(y.begin(), y.end(), T{0});
    for_each_broadcast<1>(n.in(0).shape, {kept}, [&](size_t i, const auto& o) { y[o[0]] += x[i]; });
  });
}

}  // namespace

constinit const OpDef op_reduce_sum{
    .name = "reduce_sum",
    .attrs = {{{"axes", AttrKind::integers}, {"keep", AttrKind::boolean, "false"}}},
    .infer = infer,
    .flops = [](const Node& n) { return n.in(0).numel(); },
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
