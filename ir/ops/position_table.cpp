// PE[p][j] = sin or cos (even or odd j) of p / 10000^(2 (j/2) / dim), spec 2.3: computed in double
// and rounded to float, whatever the result's type.
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(is_float(n.dtype("dtype")), "dtype must be a float; got ", n.dtype("dtype"));
  return {{n.dtype("dtype"), {n.integer("rows"), n.integer("dim")}}};
}

void reference(const Node& n, std::span<const ConstView>, std::span<const View> out) {
  const int64_t rows = n.integer("rows");
  const int64_t dim = n.integer("dim");
  with_float(n.out().dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto y = out[0].as<T>();
    for (int64_t p = 0; p < rows; ++p)
      for (int64_t j = 0; j < dim; ++j) {
        const double exponent = static_cast<double>(2 * (j / 2)) / static_cast<double>(dim);
        const double angle = static_cast<double>(p) / std::pow(10000.0, exponent);
        const double value = j % 2 == 0 ? std::sin(angle) : std::cos(angle);
        y[static_cast<size_t>(p * dim + j)] = static_cast<T>(static_cast<float>(value));
      }
  });
}

}  // namespace

constinit const OpDef op_position_table{
    .name = "position_table",
    .min_inputs = 0,
    .max_inputs = 0,
    .attrs = {{{"rows", AttrKind::integer},
               {"dim", AttrKind::integer},
               {"dtype", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .flops = [](const Node& n) { return 4 * n.out().numel(); },
    .reference = reference,
};

}  // namespace grimace
