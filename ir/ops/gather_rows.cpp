// y[b,k,:] = x[b, index[b,k], :] for x [B,R,C], or x[index[b,k], :] for a table x [R,C] that the
// batch shares. index i32 [B,K].
#include "ir/ops/rows.h"

namespace grimace {
namespace {

using namespace ops;

bool shared_table(const Node& n) {
  return n.in(0).shape.rank() == 2;
}

std::vector<TensorType> infer(const Node& n) {
  const TensorType& x = n.in(0);
  const TensorType& index = n.in(1);
  n.require(x.shape.rank() == 2 || x.shape.rank() == 3, "x must be [B,R,C] or [R,C]; got ", x);
  n.require(index.dtype == DType::i32 && index.shape.rank() == 2, "index must be i32[BxK]; got ",
            index);
  n.require(shared_table(n) || x.shape[0] == index.shape[0],
            "x and index differ in batch size: ", x, " and ", index);
  return {{x.dtype, {index.shape[0], index.shape[1], x.shape[-1]}}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  return {b.scatter_rows(dy[0], n.input(1), n.in(0).shape[-2], shared_table(n))};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const Shape& x = n.in(0).shape;
  const int64_t size = x[-1] * size_of(n.in(0).dtype);
  const auto index = in[1].as<int32_t>();
  const int64_t per_batch = n.in(1).shape[1];
  for (int64_t i = 0; i < n.in(1).numel(); ++i) {
    const int64_t first = shared_table(n) ? 0 : i / per_batch * x[-2];
    const int64_t row = first + checked_row(n, index[static_cast<size_t>(i)], x[-2]);
    std::memcpy(static_cast<std::byte*>(out[0].data) + i * size,
                static_cast<const std::byte*>(in[0].data) + row * size, static_cast<size_t>(size));
  }
}

}  // namespace

constinit const OpDef op_gather_rows{
    .name = "gather_rows",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .bytes = [](const Node& n) { return 2 * n.out().bytes() + n.in(1).bytes(); },
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
