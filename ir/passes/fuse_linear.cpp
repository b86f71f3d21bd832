// Matrix products take over what follows them, one kernel and one pass over memory less each: the
// bias, then gelu or a residual as the epilogue. Runs after autodiff: the gradient of linear is
// that of the plain one, and in training gelu_grad still reads what gelu read. A fused node stays
// in the scope of its product, which is what costs.
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

// x W^T with nothing added yet, used only here: a plain linear, or the matmul it stands for.
const Node* plain_product(Value v) {
  if (!v.single_use()) return nullptr;
  if (const Node* linear = made_by(v, op_linear))
    return !linear->flag("bias") && linear->text("epilogue") == "none" ? linear : nullptr;
  const Node* matmul = made_by(v, op_matmul);
  const bool fits = matmul != nullptr && !matmul->flag("transpose_a") &&
                    matmul->flag("transpose_b") && matmul->in(1).shape.rank() == 2;
  return fits ? matmul : nullptr;
}

// A linear without an epilogue, used only here.
const Node* open_linear(Value v) {
  const Node* linear = made_by(v, op_linear);
  const bool fits = linear != nullptr && v.single_use() && linear->text("epilogue") == "none";
  return fits ? linear : nullptr;
}

Value with_epilogue(Builder& b, const Node& linear, const char* epilogue, Value extra = {}) {
  std::vector<Value> inputs = linear.inputs();
  if (extra) inputs.push_back(extra);
  b.graph().scope = linear.scope();
  return b.emit(op_linear, std::move(inputs),
                {{"bias", linear.flag("bias")}, {"epilogue", epilogue}});
}

//   matmul(x, w){transpose_b} ; add bias  ->  linear{bias}(x, w, bias)
Value fuse_bias(Builder& b, const Node& add) {
  if (!add.is(op_add)) return {};
  for (int side = 0; side < 2; ++side) {
    const Node* product = plain_product(add.input(side));
    const Value bias = add.input(1 - side);
    if (product == nullptr || bias.shape() != Shape{product->out().shape[-1]}) continue;
    b.graph().scope = product->scope();
    return b.linear(product->input(0), product->input(1), bias);
  }
  return {};
}

//   linear(x, w) ; gelu  ->  linear{epilogue=gelu}(x, w)
Value fuse_gelu(Builder& b, const Node& gelu) {
  if (!gelu.is(op_gelu)) return {};
  const Node* linear = open_linear(gelu.input(0));
  return linear != nullptr ? with_epilogue(b, *linear, "gelu") : Value{};
}

//   linear(x, w) ; add residual  ->  linear{epilogue=add}(x, w, residual)
Value fuse_residual(Builder& b, const Node& add) {
  if (!add.is(op_add) || !same_type(add.input(0), add.input(1))) return {};
  for (int side = 0; side < 2; ++side)
    if (const Node* linear = open_linear(add.input(side)))
      return with_epilogue(b, *linear, "add", add.input(1 - side));
  return {};
}

constexpr Rule kRules[] = {fuse_bias, fuse_gelu, fuse_residual};

}  // namespace

int fuse_linear(Graph& graph) {
  return rewrite(graph, kRules);
}

}  // namespace grimace
