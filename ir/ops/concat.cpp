// y = the inputs one after the other along one axis.
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const int64_t axis = n.integer("axis");
  require_axis(n, axis);
  std::vector<int64_t> dims = n.in(0).shape.to_vector();
  int64_t& length = dims[static_cast<size_t>(axis)];
  length = 0;
  for (int i = 0; i < n.num_inputs(); ++i) {
    bool ok = n.in(i).dtype == n.in(0).dtype && n.in(i).shape.rank() == n.in(0).shape.rank();
    for (int a = 0; ok && a < n.in(0).shape.rank(); ++a)
      ok = a == axis || n.in(i).shape[a] == n.in(0).shape[a];
    n.require(ok, "input ", i, " is ", n.in(i), ", which differs from ", n.in(0),
              " in more than axis ", axis);
    length += n.in(i).shape[static_cast<int>(axis)];
  }
  return {{n.in(0).dtype, Shape(dims)}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const int64_t axis = n.integer("axis");
  std::vector<Value> result;
  int64_t begin = 0;
  for (int i = 0; i < n.num_inputs(); ++i) {
    const int64_t end = begin + n.in(i).shape[static_cast<int>(axis)];
    result.push_back(b.slice(dy[0], axis, begin, end));
    begin = end;
  }
  return result;
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const AroundAxis y = around(n.out().shape, n.integer("axis"));
  const int64_t size = size_of(n.out().dtype) * y.inner;
  auto* to = static_cast<std::byte*>(out[0].data);
  for (const ConstView& part : in) {
    const int64_t length = around(part.type.shape, n.integer("axis")).length;
    const auto* from = static_cast<const std::byte*>(part.data);
    for (int64_t o = 0; o < y.outer; ++o)
      std::memcpy(to + o * y.length * size, from + o * length * size,
                  static_cast<size_t>(length * size));
    to += length * size;
  }
}

}  // namespace

constinit const OpDef op_concat{
    .name = "concat",
    .max_inputs = -1,
    .attrs = {{{"axis", AttrKind::integer}}},
    .infer = infer,
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
