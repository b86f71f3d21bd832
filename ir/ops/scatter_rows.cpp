// y = zeros [B,rows,C], then y[b, index[b,k], :] += x[b,k,:]; with `shared` one table [rows,C]
// takes the rows of the whole batch. x [B,K,C], index i32 [B,K]. Adds in rising (b,k) order.
#include "ir/ops/rows.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const TensorType& x = n.in(0);
  const TensorType& index = n.in(1);
  n.require(is_float(x.dtype) && x.shape.rank() == 3, "x must be a float tensor [B,K,C]; got ", x);
  n.require(index == TensorType{DType::i32, {x.shape[0], x.shape[1]}}, "index must be ",
            TensorType{DType::i32, {x.shape[0], x.shape[1]}}, "; got ", index);
  const int64_t rows = n.integer("rows");
  n.require(rows >= 0, "rows must not be negative; got ", rows);
  if (n.flag("shared")) return {{x.dtype, {rows, x.shape[2]}}};
  return {{x.dtype, {x.shape[0], rows, x.shape[2]}}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.gather_rows(dy[0], n.input(1))};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const int64_t cols = n.in(0).shape[2];
  const int64_t per_batch = n.in(0).shape[1];
  const int64_t rows = n.integer("rows");
  const auto index = in[1].as<int32_t>();
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].as<T>();
    const auto y = out[0].as<T>();
    std::fill(y.begin(), y.end(), T{0});
    for (int64_t i = 0; i < n.in(1).numel(); ++i) {
      const int64_t first = n.flag("shared") ? 0 : i / per_batch * rows;
      const int64_t row = first + checked_row(n, index[static_cast<size_t>(i)], rows);
      for (int64_t c = 0; c < cols; ++c)
        y[static_cast<size_t>(row * cols + c)] += x[static_cast<size_t>(i * cols + c)];
    }
  });
}

}  // namespace

constinit const OpDef op_scatter_rows{
    .name = "scatter_rows",
    .min_inputs = 2,
    .max_inputs = 2,
    .attrs = {{{"rows", AttrKind::integer}, {"shared", AttrKind::boolean, "false"}}},
    .infer = infer,
    .flops = [](const Node& n) { return n.in(0).numel(); },
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
