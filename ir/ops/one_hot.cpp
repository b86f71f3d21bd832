// y[b,c] = 1 where labels[b] == c, else 0. labels i32 [B]; a label outside 0..classes-1 is a
// RunError: labels are data.
#include "ir/ops/rows.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(n.in(0).dtype == DType::i32 && n.in(0).shape.rank() == 1, "labels must be i32[B]; got ",
            n.in(0));
  n.require(n.integer("classes") > 0, "classes must be positive; got ", n.integer("classes"));
  n.require(is_float(n.dtype("dtype")), "dtype must be a float; got ", n.dtype("dtype"));
  return {{n.dtype("dtype"), {n.in(0).shape[0], n.integer("classes")}}};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto labels = in[0].as<int32_t>();
  const int64_t classes = n.integer("classes");
  with_float(n.out().dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto y = out[0].as<T>();
    std::fill(y.begin(), y.end(), T{0});
    for (size_t b = 0; b < labels.size(); ++b)
      y[b * static_cast<size_t>(classes) +
        static_cast<size_t>(checked_row(n, labels[b], classes, "label"))] = T{1};
  });
}

}  // namespace

constinit const OpDef op_one_hot{
    .name = "one_hot",
    .attrs = {{{"classes", AttrKind::integer}, {"dtype", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .reference = reference,
};

}  // namespace grimace
