// y = the elements of x, in order, under another shape. Never a copy where the planner can help it.
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const Shape shape(n.integers("shape"));
  n.require(shape.numel() == n.in(0).numel(), "cannot make ", shape, " of ", n.in(0), ": ",
            shape.numel(), " elements instead of ", n.in(0).numel());
  return {{n.in(0).dtype, shape}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.reshape(dy[0], n.in(0).shape.to_vector())};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  std::memmove(out[0].data, in[0].data, static_cast<size_t>(n.out().bytes()));
}

}  // namespace

constinit const OpDef op_reshape{
    .name = "reshape",
    .attrs = {{{"shape", AttrKind::integers}}},
    .infer = infer,
    .bytes = [](const Node&) { return int64_t{0}; },
    .grad = grad,
    .reference = reference,
    .aliasing = Aliasing::reshape,
};

}  // namespace grimace
