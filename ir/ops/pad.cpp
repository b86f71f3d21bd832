// y = x with `before` and `after` zeros along one axis: the gradient of slice.
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const int64_t axis = n.integer("axis");
  require_axis(n, axis);
  const int64_t before = n.integer("before");
  const int64_t after = n.integer("after");
  n.require(before >= 0 && before <= kMaxElements && after >= 0 && after <= kMaxElements,
            "padding must lie in 0..2^40; got ", before, " and ", after);
  std::vector<int64_t> dims = n.in(0).shape.to_vector();
  dims[static_cast<size_t>(axis)] += before + after;
  return {{n.in(0).dtype, Shape(dims)}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const int64_t axis = n.integer("axis");
  const int64_t before = n.integer("before");
  return {b.slice(dy[0], axis, before, before + n.in(0).shape[static_cast<int>(axis)])};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const AroundAxis x = around(n.in(0).shape, n.integer("axis"));
  const AroundAxis y = around(n.out().shape, n.integer("axis"));
  const int64_t size = size_of(n.out().dtype) * x.inner;
  const auto* from = static_cast<const std::byte*>(in[0].data);
  auto* to = static_cast<std::byte*>(out[0].data);
  std::memset(to, 0, static_cast<size_t>(n.out().bytes()));
  for (int64_t o = 0; o < x.outer; ++o)
    std::memcpy(to + (o * y.length + n.integer("before")) * size, from + o * x.length * size,
                static_cast<size_t>(x.length * size));
}

}  // namespace

constinit const OpDef op_pad{
    .name = "pad",
    .attrs = {{{"axis", AttrKind::integer},
               {"before", AttrKind::integer, "0"},
               {"after", AttrKind::integer, "0"}}},
    .infer = infer,
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
