// y = op(a) op(b) over the last two axes. Leading axes are a batch: equal in a and b, or b is one
// matrix for all. Products of 16-bit operands accumulate in f32 and come out as f32, or rounded to
// the type that `result` names.
#include <numeric>

#include "ir/ops/elementwise.h"
#include "ir/ops/gemm.h"

namespace grimace {
namespace {

using namespace ops;

struct Dims {
  int64_t batch, m, n, k;
  bool shared_b;
};

Dims dims_of(const Node& node) {
  const Shape& a = node.in(0).shape;
  const Shape& b = node.in(1).shape;
  const bool ta = node.flag("transpose_a");
  const int64_t m = a[ta ? -1 : -2];
  const int64_t k = a[ta ? -2 : -1];
  int64_t batch = 1;
  for (int axis = 0; axis + 2 < a.rank(); ++axis) batch *= a[axis];
  return {batch, m, b[node.flag("transpose_b") ? -2 : -1], k, b.rank() == 2 && a.rank() > 2};
}

std::vector<TensorType> infer(const Node& n) {
  const TensorType& a = n.in(0);
  const TensorType& b = n.in(1);
  n.require(a.dtype == b.dtype && is_float(a.dtype),
            "operands must have one float element type; got ", a, " and ", b);
  n.require(a.shape.rank() >= 2 && b.shape.rank() >= 2, "operands need at least two axes; got ", a,
            " and ", b);
  n.require(b.shape.rank() == a.shape.rank() || b.shape.rank() == 2,
            "b must have as many axes as a, or two; got ", a, " and ", b);
  std::vector<int64_t> dims = a.shape.to_vector();
  for (int axis = 0; axis + 2 < a.shape.rank() && b.shape.rank() > 2; ++axis)
    n.require(a.shape[axis] == b.shape[axis], "batch axis ", axis, " differs: ", a, " and ", b);
  const int64_t ka = a.shape[n.flag("transpose_a") ? -2 : -1];
  const int64_t kb = b.shape[n.flag("transpose_b") ? -1 : -2];
  n.require(ka == kb, "inner dimensions differ: ", ka, " of ", a, " and ", kb, " of ", b);
  dims[dims.size() - 2] = a.shape[n.flag("transpose_a") ? -1 : -2];
  dims[dims.size() - 1] = b.shape[n.flag("transpose_b") ? -2 : -1];
  return {{result_dtype(n, sum_dtype(a.dtype)), Shape(dims)}};
}

int64_t macs(const Node& n) {
  const Dims d = dims_of(n);
  return d.batch * d.m * d.n * d.k;
}

// The last two axes swapped.
Value transposed(Builder& b, Value v) {
  std::vector<int64_t> order(static_cast<size_t>(v.shape().rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return b.transpose(v, order);
}

// dA = dY op(B)^T and dB = op(A)^T dY, transposed where the operand was.
std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const bool ta = n.flag("transpose_a");
  const bool tb = n.flag("transpose_b");
  const Value x = n.input(0);
  const Value w = n.input(1);
  const Value g = b.cast(dy[0], x.dtype());
  if (!dims_of(n).shared_b) {
    const Value da = ta ? b.matmul(w, g, tb, true) : b.matmul(g, w, false, !tb);
    const Value dw = tb ? b.matmul(g, x, true, ta) : b.matmul(x, g, !ta, false);
    return {b.cast(da, x.dtype()), b.cast(dw, w.dtype())};
  }
  // One matrix for the whole batch: its gradient sums over the batch, as one flat product.
  const auto flat = [&](Value v) { return b.reshape(v, {-1, v.dim(-1)}); };
  const Value da = b.matmul(g, w, false, !tb);
  const Value flat_x = flat(ta ? transposed(b, x) : x);
  const Value flat_g = flat(g);
  const Value dw = tb ? b.matmul(flat_g, flat_x, true) : b.matmul(flat_x, flat_g, true);
  return {b.cast(ta ? transposed(b, da) : da, x.dtype()), b.cast(dw, w.dtype())};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const Dims d = dims_of(n);
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* a = in[0].as<T>().data();
    const T* b = in[1].as<T>().data();
    T* y = out[0].as<T>().data();
    for (int64_t i = 0; i < d.batch; ++i)
      gemm<T>(n.flag("transpose_a"), n.flag("transpose_b"), d.m, d.n, d.k, a + i * d.m * d.k,
              b + (d.shared_b ? 0 : i * d.k * d.n), y + i * d.m * d.n);
  });
}

}  // namespace

constinit const OpDef op_matmul{
    .name = "matmul",
    .min_inputs = 2,
    .max_inputs = 2,
    .attrs = {{{"transpose_a", AttrKind::boolean, "false"},
               {"transpose_b", AttrKind::boolean, "false"},
               {"result", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .flops = [](const Node& n) { return 2 * macs(n); },
    .macs = macs,
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
