// y = epilogue(x W^T + bias): x [..., in], weight [out, in], optional bias [out].
// Epilogue `gelu` applies gelu; `add` adds one more input, the residual [..., out]. Fused: its
// meaning is matmul, add and the epilogue. 16-bit operands accumulate in f32 and come out as f32,
// or rounded to the type that `result` names.
#include <cmath>
#include <numbers>

#include "ir/ops/elementwise.h"
#include "ir/ops/gemm.h"

namespace grimace {
namespace {

using namespace ops;

Value bias_of(const Node& n) {
  return n.flag("bias") ? n.input(2) : Value{};
}
Value residual_of(const Node& n) {
  return n.text("epilogue") == "add" ? n.input(n.num_inputs() - 1) : Value{};
}

std::vector<TensorType> infer(const Node& n) {
  const TensorType& x = n.in(0);
  const TensorType& w = n.in(1);
  n.require(x.dtype == w.dtype && is_float(x.dtype),
            "input and weight must have one float element type; input ", x, ", weight ", w);
  n.require(x.shape.rank() >= 2, "input needs at least two axes; input ", x);
  n.require(w.shape.rank() == 2, "weight must have two axes [out, in]; weight ", w);
  n.require(x.shape[-1] == w.shape[1], "input dim ", x.shape.rank() - 1,
            " must equal weight dim 1; input ", x, ", weight ", w);
  const std::string& epilogue = n.text("epilogue");
  n.require(epilogue == "none" || epilogue == "gelu" || epilogue == "add",
            "epilogue must be none, gelu or add; got ", epilogue);
  const int wanted = 2 + (n.flag("bias") ? 1 : 0) + (epilogue == "add" ? 1 : 0);
  n.require(n.num_inputs() == wanted, "needs ", wanted,
            " inputs with bias=", to_text(n.attr("bias")), " and epilogue=", epilogue, "; got ",
            n.num_inputs());
  const DType dtype = sum_dtype(x.dtype);
  std::vector<int64_t> dims = x.shape.to_vector();
  dims.back() = w.shape[0];
  const TensorType y{dtype, Shape(dims)};
  if (const Value bias = bias_of(n))
    n.require(bias.type() == TensorType{dtype, {w.shape[0]}}, "bias must be ",
              TensorType{dtype, {w.shape[0]}}, "; bias ", bias.type());
  if (const Value residual = residual_of(n))
    n.require(residual.type() == y, "residual must be ", y, "; residual ", residual.type());
  return {{result_dtype(n, dtype), y.shape}};
}

int64_t macs(const Node& n) {
  return n.out().numel() * n.in(1).shape[1];
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  Value y = b.matmul(n.input(0), n.input(1), false, true);
  if (const Value bias = bias_of(n)) y = y + bias;
  if (n.text("epilogue") == "gelu") y = b.gelu(y);
  if (const Value residual = residual_of(n)) y = y + residual;
  return {b.cast(y, n.out().dtype)};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  n.require(n.text("epilogue") == "none", "has no gradient with epilogue ", n.text("epilogue"),
            "; differentiate before fuse_linear");
  const Value x = n.input(0);
  const Value w = n.input(1);
  const Value g = b.cast(dy[0], x.dtype());
  const Value rows = b.reshape(g, {-1, w.dim(0)});
  std::vector<Value> result{
      b.cast(b.matmul(g, w), x.dtype()),
      b.cast(b.matmul(rows, b.reshape(x, {-1, w.dim(1)}), true, false), w.dtype())};
  if (n.flag("bias")) result.push_back(b.sum_to(b.cast(dy[0], n.in(2).dtype), n.in(2).shape));
  return result;
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t cols = n.in(1).shape[0];
    const int64_t rows = cols == 0 ? 0 : n.out().numel() / cols;
    const auto y = out[0].as<T>();
    gemm<T>(false, true, rows, cols, n.in(1).shape[1], in[0].as<T>().data(), in[1].as<T>().data(),
            y.data());
    const bool has_bias = n.flag("bias");
    const bool gelu = n.text("epilogue") == "gelu";
    const bool add = n.text("epilogue") == "add";
    for (size_t i = 0; i < y.size(); ++i) {
      if (has_bias) y[i] += in[2].as<T>()[i % static_cast<size_t>(cols)];
      if (gelu) y[i] *= T(0.5) * (T{1} + std::erf(y[i] * T(std::numbers::sqrt2 / 2)));
      if (add) y[i] += in.back().template as<T>()[i];
    }
  });
}

}  // namespace

constinit const OpDef op_linear{
    .name = "linear",
    .min_inputs = 2,
    .max_inputs = 4,
    .attrs = {{{"bias", AttrKind::boolean, "false"},
               {"epilogue", AttrKind::text, "none"},
               {"result", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .flops = [](const Node& n) { return 2 * macs(n) + (n.flag("bias") ? n.out().numel() : 0); },
    .macs = macs,
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
    .row_wise = [](const Node& n) { return n.text("epilogue") != "add"; },
};

}  // namespace grimace
