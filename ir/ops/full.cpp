// y = `value` everywhere.
#include "ir/ops/layout.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  return {{n.dtype("dtype"), Shape(n.integers("shape"))}};
}

void reference(const Node& n, std::span<const ConstView>, std::span<const View> out) {
  const double value = n.real("value");
  const auto fill = [&](auto zero) {
    using T = decltype(zero);
    const auto y = out[0].as<T>();
    std::fill(y.begin(), y.end(), static_cast<T>(value));
  };
  switch (n.out().dtype) {
    case DType::i32:
      return fill(int32_t{});
    case DType::i64:
      return fill(int64_t{});
    case DType::u8:
      return fill(uint8_t{});
    case DType::boolean:
      return fill(bool{});
    default:
      return with_float(n.out().dtype, fill);
  }
}

}  // namespace

constinit const OpDef op_full{
    .name = "full",
    .min_inputs = 0,
    .max_inputs = 0,
    .attrs = {{{"value", AttrKind::real},
               {"shape", AttrKind::integers, "[]"},
               {"dtype", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .reference = reference,
};

}  // namespace grimace
