// y = x in element type `to`. Floats round to nearest even; a float becomes an integer by
// truncation. The gradient is cast back.
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  return {{n.dtype("to"), n.in(0).shape}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  if (!is_float(n.in(0).dtype)) return {};
  return {b.cast(dy[0], n.in(0).dtype)};
}

template <typename Visit>
void with_any(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::i32:
      return visit(int32_t{});
    case DType::i64:
      return visit(int64_t{});
    case DType::u8:
      return visit(uint8_t{});
    case DType::boolean:
      return visit(bool{});
    default:
      return with_float(dtype, visit);
  }
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  with_any(n.in(0).dtype, [&](auto from) {
    with_any(n.out().dtype, [&](auto to) {
      const auto x = in[0].as<decltype(from)>();
      const auto y = out[0].as<decltype(to)>();
      for (size_t i = 0; i < x.size(); ++i) y[i] = static_cast<decltype(to)>(x[i]);
    });
  });
}

}  // namespace

constinit const OpDef op_cast{
    .name = "cast",
    .attrs = {{{"to", AttrKind::dtype}}},
    .infer = infer,
    .flops = one_flop_per_element,
    .grad = grad,
    .reference = reference,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
