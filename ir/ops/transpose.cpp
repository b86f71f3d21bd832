// y's axis i is x's axis permutation[i].
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const auto& permutation = n.integers("permutation");
  const int rank = n.in(0).shape.rank();
  std::vector<bool> seen(static_cast<size_t>(rank), false);
  std::vector<int64_t> dims;
  bool ok = static_cast<int>(permutation.size()) == rank;
  for (const int64_t axis : permutation) {
    ok = ok && axis >= 0 && axis < rank && !seen[static_cast<size_t>(axis)];
    if (!ok) break;
    seen[static_cast<size_t>(axis)] = true;
    dims.push_back(n.in(0).shape[static_cast<int>(axis)]);
  }
  n.require(ok, "permutation ", to_text(n.attr("permutation")), " does not permute the axes of ",
            n.in(0));
  return {{n.in(0).dtype, Shape(dims)}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const auto& permutation = n.integers("permutation");
  std::vector<int64_t> inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i)
    inverse[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  return {b.transpose(dy[0], inverse)};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto& permutation = n.integers("permutation");
  const auto source = n.in(0).shape.strides();
  std::array<int64_t, kMaxRank> strides{};
  for (size_t i = 0; i < permutation.size(); ++i)
    strides[i] = source[static_cast<size_t>(permutation[i])];
  copy_strided(in[0], out[0], strides);
}

}  // namespace

constinit const OpDef op_transpose{
    .name = "transpose",
    .attrs = {{{"permutation", AttrKind::integers}}},
    .infer = infer,
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
