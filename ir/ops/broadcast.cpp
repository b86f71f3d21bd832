// y = x repeated to `shape` by NumPy's rules.
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const Shape shape(n.integers("shape"));
  const Shape& x = n.in(0).shape;
  bool ok = x.rank() <= shape.rank();
  for (int axis = 1; ok && axis <= x.rank(); ++axis) ok = x[-axis] == 1 || x[-axis] == shape[-axis];
  n.require(ok, "cannot broadcast ", n.in(0), " to ", shape);
  return {{n.in(0).dtype, shape}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.sum_to(dy[0], n.in(0).shape)};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  copy_strided(in[0], out[0], broadcast_strides(n.in(0).shape, n.out().shape));
}

}  // namespace

constinit const OpDef op_broadcast{
    .name = "broadcast",
    .attrs = {{{"shape", AttrKind::integers}}},
    .infer = infer,
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
