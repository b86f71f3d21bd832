// y = x[begin:end] along one axis.
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const int64_t axis = n.integer("axis");
  require_axis(n, axis);
  const int64_t begin = n.integer("begin");
  const int64_t end = n.integer("end");
  const int64_t length = n.in(0).shape[static_cast<int>(axis)];
  n.require(0 <= begin && begin <= end && end <= length, "range ", begin, ":", end,
            " does not lie in axis ", axis, " of ", n.in(0));
  std::vector<int64_t> dims = n.in(0).shape.to_vector();
  dims[static_cast<size_t>(axis)] = end - begin;
  return {{n.in(0).dtype, Shape(dims)}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const int64_t axis = n.integer("axis");
  return {b.pad(dy[0], axis, n.integer("begin"),
                n.in(0).shape[static_cast<int>(axis)] - n.integer("end"))};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const AroundAxis x = around(n.in(0).shape, n.integer("axis"));
  const AroundAxis y = around(n.out().shape, n.integer("axis"));
  const int64_t size = size_of(n.out().dtype) * x.inner;
  const auto* from = static_cast<const std::byte*>(in[0].data) + n.integer("begin") * size;
  auto* to = static_cast<std::byte*>(out[0].data);
  for (int64_t o = 0; o < x.outer; ++o)
    std::memcpy(to + o * y.length * size, from + o * x.length * size,
                static_cast<size_t>(y.length * size));
}

}  // namespace

constinit const OpDef op_slice{
    .name = "slice",
    .attrs = {{{"axis", AttrKind::integer},
               {"begin", AttrKind::integer},
               {"end", AttrKind::integer}}},
    .infer = infer,
    .bytes = [](const Node& n) { return 2 * n.out().bytes(); },
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
