// y = (x / 255 - mean) / std per colour (spec 8.2): x u8 [B,3,...], y floats of the same shape. So
// a clip travels as bytes and becomes floats where it is computed with. Fused.
#include <array>

#include "ir/ops/elementwise.h"
#include "ir/pixels.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const TensorType& x = n.in(0);
  n.require(x.dtype == DType::u8 && x.shape.rank() >= 2 && x.shape[1] == 3,
            "x must be u8[Bx3x...]; got ", x);
  n.require(is_float(n.dtype("dtype")), "dtype must be a float; got ", n.dtype("dtype"));
  return {{n.dtype("dtype"), x.shape}};
}

// A literal per colour, to be broadcast over the axes behind it.
Value per_colour(Builder& b, const Node& n, const std::array<double, 3>& values) {
  std::vector<int64_t> shape(static_cast<size_t>(n.out().shape.rank()) - 1, 1);
  std::vector<Value> parts;
  for (const double value : values) parts.push_back(b.full(value, Shape(shape), n.out().dtype));
  return b.concat(std::move(parts), 0);
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Value x = b.cast(n.input(0), n.out().dtype) / 255.0;
  return {(x - per_colour(b, n, kPixelMean<double>)) / per_colour(b, n, kPixelStd<double>)};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto x = in[0].as<uint8_t>();
  const size_t plane = x.empty() ? 1 : x.size() / static_cast<size_t>(3 * n.in(0).shape[0]);
  with_float(n.out().dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto y = out[0].as<T>();
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t colour = i / plane % 3;
      y[i] = (static_cast<T>(x[i]) / T{255} - kPixelMean<T>[colour]) / kPixelStd<T>[colour];
    }
  });
}

}  // namespace

constinit const OpDef op_normalise_pixels{
    .name = "normalise_pixels",
    .attrs = {{{"dtype", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .flops = [](const Node& n) { return 3 * n.out().numel(); },
    .decompose = decompose,
    .reference = reference,
};

}  // namespace grimace
