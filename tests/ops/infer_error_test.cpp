// Every mistake that an op's inference refuses, with the exact message its author reads.
#include <gtest/gtest.h>

#include <ostream>

#include "ir/builder.h"
#include "ir/op_def.h"
#include "ir/verify.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using Ints = std::vector<int64_t>;

struct Mistake {
  const char* name;  // of the test
  const OpDef* op;
  std::vector<TensorType> inputs;
  std::vector<NamedAttr> attrs;
  const char* message;
};
void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.message;
}

TensorType f32(const Shape& shape) {
  return {DType::f32, shape};
}
TensorType f64(const Shape& shape) {
  return {DType::f64, shape};
}
TensorType bf16(const Shape& shape) {
  return {DType::bf16, shape};
}
TensorType i32(const Shape& shape) {
  return {DType::i32, shape};
}
TensorType i64(const Shape& shape) {
  return {DType::i64, shape};
}
TensorType u8(const Shape& shape) {
  return {DType::u8, shape};
}
TensorType boolean(const Shape& shape) {
  return {DType::boolean, shape};
}

class RefusedBy : public ::testing::TestWithParam<Mistake> {};

TEST_P(RefusedBy, inference_with_this_message) {
  const Mistake& mistake = GetParam();
  Graph graph;
  std::vector<Value> inputs;
  for (const TensorType& type : mistake.inputs)
    inputs.push_back(graph.add_input(Role::input, cat("in", inputs.size()), type));
  EXPECT_EQ(testing::error_of([&] { graph.add_node(*mistake.op, inputs, mistake.attrs); }),
            mistake.message);
}

std::string name_of_test(const ::testing::TestParamInfo<Mistake>& info) {
  return std::string(info.param.op->name) + "_" + info.param.name;
}

// One mistake per row: test name, op, input types, attributes, message.
// clang-format off
const Mistake kElementwise[] = {
    {"integers", &op_exp, {i32({2})}, {}, "exp: input must be a float tensor; got i32[2]"},
    {"integers", &op_neg, {u8({2})}, {}, "neg: input must be a float tensor; got u8[2]"},
    {"integers", &op_is_finite, {i64({})}, {},
     "is_finite: input must be a float tensor; got i64[]"},
    {"two_element_types", &op_add, {f32({2}), f64({2})}, {},
     "add: inputs must have one element type; got f32[2] and f64[2]"},
    {"bytes", &op_mul, {u8({2}), u8({})}, {},
     "mul: inputs must be float, i32 or i64 tensors; got u8[2] and u8[]"},
    {"bools", &op_less, {boolean({2}), boolean({2})}, {},
     "less: inputs must be float, i32 or i64 tensors; got bool[2] and bool[2]"},
    {"shapes", &op_sub, {f32({2, 3}), f32({2})}, {},
     "sub: shapes do not broadcast together: [2x3] and [2]"},
    {"integers", &op_div, {i32({2}), i32({2})}, {},
     "div: inputs must be float tensors; got i32[2] and i32[2]"},
    {"two_element_types", &op_div, {f32({2}), f64({2})}, {},
     "div: inputs must have one element type; got f32[2] and f64[2]"},
    {"floats", &op_logical_and, {f32({2}), boolean({2})}, {},
     "logical_and: inputs must be bool tensors; got f32[2] and bool[2]"},
    {"shapes", &op_logical_and, {boolean({3}), boolean({2})}, {},
     "logical_and: shapes do not broadcast together: [3] and [2]"},
    {"condition", &op_select, {f32({2}), f32({2}), f32({2})}, {},
     "select: the condition must be bool; got f32[2]"},
    {"two_element_types", &op_select, {boolean({2}), f32({2}), i32({2})}, {},
     "select: both choices must have one element type; got f32[2] and i32[2]"},
    {"shapes", &op_select, {boolean({3}), f32({2}), f32({})}, {},
     "select: shapes do not broadcast together: [3] and [2]"},
    {"two_types", &op_gelu_grad, {f32({2}), f32({3})}, {},
     "gelu_grad: x and dy must have one type; got f32[2] and f32[3]"},
    {"integers", &op_gelu_grad, {i32({2}), i32({2})}, {},
     "gelu_grad: input must be a float tensor; got i32[2]"},
};

const Mistake kProducts[] = {
    {"two_element_types", &op_matmul, {f32({2, 3}), f64({3, 2})}, {},
     "matmul: operands must have one float element type; got f32[2x3] and f64[3x2]"},
    {"integers", &op_matmul, {i32({2, 3}), i32({3, 2})}, {},
     "matmul: operands must have one float element type; got i32[2x3] and i32[3x2]"},
    {"vector", &op_matmul, {f32({2, 3}), f32({3})}, {},
     "matmul: operands need at least two axes; got f32[2x3] and f32[3]"},
    {"ranks", &op_matmul, {f32({2, 3}), f32({4, 3, 2})}, {},
     "matmul: b must have as many axes as a, or two; got f32[2x3] and f32[4x3x2]"},
    {"batch", &op_matmul, {f32({4, 2, 3}), f32({5, 3, 2})}, {},
     "matmul: batch axis 0 differs: f32[4x2x3] and f32[5x3x2]"},
    {"inner", &op_matmul, {f32({2, 3}), f32({4, 2})}, {{"transpose_a", true}},
     "matmul: inner dimensions differ: 2 of f32[2x3] and 4 of f32[4x2]"},
    {"two_element_types", &op_linear, {f32({2, 3}), f64({4, 3})}, {},
     "linear: input and weight must have one float element type; input f32[2x3], weight f64[4x3]"},
    {"vector", &op_linear, {f32({3}), f32({4, 3})}, {},
     "linear: input needs at least two axes; input f32[3]"},
    {"weight_axes", &op_linear, {f32({2, 3}), f32({3})}, {},
     "linear: weight must have two axes [out, in]; weight f32[3]"},
    {"inner", &op_linear, {f32({8, 101, 512}), f32({2048, 384})}, {},
     "linear: input dim 2 must equal weight dim 1; input f32[8x101x512], weight f32[2048x384]"},
    {"epilogue", &op_linear, {f32({2, 3}), f32({4, 3})}, {{"epilogue", "relu"}},
     "linear: epilogue must be none, gelu or add; got relu"},
    {"no_bias", &op_linear, {f32({2, 3}), f32({4, 3})}, {{"bias", true}},
     "linear: needs 3 inputs with bias=true and epilogue=none; got 2"},
    {"bias", &op_linear, {f32({2, 3}), f32({4, 3}), f32({3})}, {{"bias", true}},
     "linear: bias must be f32[4]; bias f32[3]"},
    {"residual", &op_linear, {f32({2, 3}), f32({4, 3}), f32({2, 3})}, {{"epilogue", "add"}},
     "linear: residual must be f32[2x4]; residual f32[2x3]"},
};

const Mistake kLayout[] = {
    {"integers", &op_reduce_sum, {i32({2})}, {{"axes", Ints{0}}},
     "reduce_sum: input must be a float tensor; got i32[2]"},
    {"axis", &op_reduce_sum, {f32({2})}, {{"axes", Ints{1}}},
     "reduce_sum: axis 1 is not one of f32[2]"},
    {"axis_twice", &op_reduce_sum, {f32({2})}, {{"axes", Ints{0, 0}}},
     "reduce_sum: axis 0 is named twice"},
    {"count", &op_reshape, {f32({2, 3})}, {{"shape", Ints{4}}},
     "reshape: cannot make [4] of f32[2x3]: 4 elements instead of 6"},
    {"too_short", &op_transpose, {f32({2, 3})}, {{"permutation", Ints{0}}},
     "transpose: permutation [0] does not permute the axes of f32[2x3]"},
    {"axis_twice", &op_transpose, {f32({2, 3})}, {{"permutation", Ints{0, 0}}},
     "transpose: permutation [0,0] does not permute the axes of f32[2x3]"},
    {"axis", &op_transpose, {f32({2, 3})}, {{"permutation", Ints{0, 2}}},
     "transpose: permutation [0,2] does not permute the axes of f32[2x3]"},
    {"shape", &op_broadcast, {f32({2, 3})}, {{"shape", Ints{3, 3}}},
     "broadcast: cannot broadcast f32[2x3] to [3x3]"},
    {"rank", &op_broadcast, {f32({1, 3})}, {{"shape", Ints{3}}},
     "broadcast: cannot broadcast f32[1x3] to [3]"},
    {"axis", &op_slice, {f32({2, 3})}, {{"axis", 2}, {"begin", 0}, {"end", 1}},
     "slice: axis 2 is not one of f32[2x3]"},
    {"range", &op_slice, {f32({2, 3})}, {{"axis", 1}, {"begin", 2}, {"end", 4}},
     "slice: range 2:4 does not lie in axis 1 of f32[2x3]"},
    {"backwards", &op_slice, {f32({2, 3})}, {{"axis", 1}, {"begin", 2}, {"end", 1}},
     "slice: range 2:1 does not lie in axis 1 of f32[2x3]"},
    {"axis", &op_pad, {f32({2, 3})}, {{"axis", -1}}, "pad: axis -1 is not one of f32[2x3]"},
    {"negative", &op_pad, {f32({2, 3})}, {{"axis", 0}, {"before", -1}},
     "pad: padding must lie in 0..2^40; got -1 and 0"},
    {"axis", &op_concat, {f32({2, 3})}, {{"axis", 2}}, "concat: axis 2 is not one of f32[2x3]"},
    {"shapes", &op_concat, {f32({2, 3}), f32({2, 4})}, {{"axis", 0}},
     "concat: input 1 is f32[2x4], which differs from f32[2x3] in more than axis 0"},
    {"two_element_types", &op_concat, {f32({2, 3}), f64({2, 3})}, {{"axis", 0}},
     "concat: input 1 is f64[2x3], which differs from f32[2x3] in more than axis 0"},
};

const Mistake kTokens[] = {
    {"x", &op_gather_rows, {f32({3}), i32({2, 2})}, {},
     "gather_rows: x must be [B,R,C] or [R,C]; got f32[3]"},
    {"index", &op_gather_rows, {f32({2, 5, 3}), i64({2, 2})}, {},
     "gather_rows: index must be i32[BxK]; got i64[2x2]"},
    {"batch", &op_gather_rows, {f32({2, 5, 3}), i32({3, 2})}, {},
     "gather_rows: x and index differ in batch size: f32[2x5x3] and i32[3x2]"},
    {"x", &op_scatter_rows, {f32({3, 4}), i32({3, 4})}, {{"rows", 5}},
     "scatter_rows: x must be a float tensor [B,K,C]; got f32[3x4]"},
    {"index", &op_scatter_rows, {f32({2, 3, 4}), i32({2, 4})}, {{"rows", 5}},
     "scatter_rows: index must be i32[2x3]; got i32[2x4]"},
    {"rows", &op_scatter_rows, {f32({2, 3, 4}), i32({2, 3})}, {{"rows", -1}},
     "scatter_rows: rows must not be negative; got -1"},
    {"mask", &op_mask_indices, {i32({2, 8})}, {{"value", 0}, {"count", 3}},
     "mask_indices: mask must be u8[BxN]; got i32[2x8]"},
    {"count", &op_mask_indices, {u8({2, 8})}, {{"value", 0}, {"count", 9}},
     "mask_indices: count 9 is outside 0..8"},
    {"labels", &op_one_hot, {i64({2})}, {{"classes", 7}},
     "one_hot: labels must be i32[B]; got i64[2]"},
    {"classes", &op_one_hot, {i32({2})}, {{"classes", 0}},
     "one_hot: classes must be positive; got 0"},
    {"dtype", &op_one_hot, {i32({2})}, {{"classes", 7}, {"dtype", DType::i32}},
     "one_hot: dtype must be a float; got i32"},
};

const Mistake kSources[] = {
    {"x", &op_normalise_pixels, {u8({2, 4, 8})}, {},
     "normalise_pixels: x must be u8[Bx3x...]; got u8[2x4x8]"},
    {"dtype", &op_normalise_pixels, {u8({2, 3, 8})}, {{"dtype", DType::i32}},
     "normalise_pixels: dtype must be a float; got i32"},
    {"dtype", &op_position_table, {}, {{"rows", 2}, {"dim", 4}, {"dtype", DType::i32}},
     "position_table: dtype must be a float; got i32"},
    {"seed", &op_random_uniform, {i32({}), i64({})}, {{"site", 0}},
     "random_uniform: seed and step must be i64[]; got i32[] and i64[]"},
    {"site", &op_random_uniform, {i64({}), i64({})}, {{"site", 1 << 24}},
     "random_uniform: site must lie in 0..2^24-1; got 16777216"},
    {"dtype", &op_random_uniform, {i64({}), i64({})}, {{"site", 0}, {"dtype", DType::u8}},
     "random_uniform: dtype must be a float; got u8"},
};

const std::vector<NamedAttr> kBetas{{"beta1", 0.9}, {"beta2", 0.95}};

const std::vector<NamedAttr> kTwoHeads{{"heads", 2}, {"scale", 1.0}};

const Mistake kAttention[] = {
    {"integers", &op_attention, {i32({1, 2, 6})}, kTwoHeads,
     "attention: operands must be float tensors; got i32[1x2x6]"},
    {"rank", &op_attention, {f32({2, 4}), f32({2, 8})}, kTwoHeads,
     "attention: operands must be [batch, tokens, columns] of one element type; operand 0 is "
     "f32[2x4], operand 0 f32[2x4]"},
    {"two_types", &op_attention, {f32({1, 2, 4}), bf16({1, 2, 8})}, kTwoHeads,
     "attention: operands must be [batch, tokens, columns] of one element type; operand 1 is "
     "bf16[1x2x8], operand 0 f32[1x2x4]"},
    {"batch", &op_attention, {f32({1, 2, 4}), f32({3, 2, 8})}, kTwoHeads,
     "attention: batches differ: operand 1 is f32[3x2x8], operand 0 f32[1x2x4]"},
    {"thirds", &op_attention, {f32({1, 2, 7})}, kTwoHeads,
     "attention: one operand packs q, k and v: its columns must be a multiple of 3; got f32[1x2x7]"},
    {"heads", &op_attention, {f32({1, 2, 9})}, kTwoHeads,
     "attention: width 3 must be a multiple of heads 2"},
    {"no_heads", &op_attention, {f32({1, 2, 6})}, {{"heads", 0}, {"scale", 1.0}},
     "attention: width 2 must be a multiple of heads 0"},
    {"context", &op_attention, {f32({1, 2, 4}), f32({1, 2, 4})}, kTwoHeads,
     "attention: operand 1 must have 8 columns for f32[1x2x4]; got f32[1x2x4]"},
    {"values", &op_attention, {f32({1, 2, 4}), f32({1, 2, 4}), f32({1, 3, 4})}, kTwoHeads,
     "attention: k and v must have equally many rows; got f32[1x2x4] and f32[1x3x4]"},
    {"dy", &op_attention_grad, {f32({1, 2, 6}), f32({1, 2, 6})}, kTwoHeads,
     "attention_grad: dy must be f32[1x2x2]; got f32[1x2x6]"},
    {"grad_operands", &op_attention_grad, {f32({1, 2, 7}), f32({1, 2, 2})}, kTwoHeads,
     "attention_grad: one operand packs q, k and v: its columns must be a multiple of 3; got "
     "f32[1x2x7]"},
};

const Mistake kResults[] = {
    {"wide", &op_matmul, {f32({2, 3}), f32({3, 2})}, {{"result", DType::f64}},
     "matmul: result must be f32 (as computed), or bf16 or f16 for what is computed in f32; got f64 "
     "for f32"},
    {"of_double", &op_linear, {f64({2, 3}), f64({3, 3})}, {{"result", DType::bf16}},
     "linear: result must be f32 (as computed), or bf16 or f16 for what is computed in f32; got bf16 "
     "for f64"},
    {"integer", &op_layer_norm, {f32({2, 3}), f32({3}), f32({3})},
     {{"eps", 1e-6}, {"result", DType::i32}},
     "layer_norm: result must be f32 (as computed), or bf16 or f16 for what is computed in f32; got "
     "i32 for f32"},
};

const std::vector<NamedAttr> kCubes{{"tubelet", 2}, {"patch", 4}};

const Mistake kTargets[] = {
    {"rank", &op_reconstruction_target, {f32({3, 4, 8, 8})}, kCubes,
     "reconstruction_target: video must be float [batch, 3, frames, height, width]; got "
     "f32[3x4x8x8]"},
    {"tiles", &op_reconstruction_target, {f32({1, 3, 4, 8, 6})}, kCubes,
     "reconstruction_target: cubes of 2 frames and 4x4 pixels do not tile f32[1x3x4x8x6]"},
    {"group", &op_reconstruction_target, {f32({1, 3, 4, 8, 8})},
     {{"tubelet", 2}, {"patch", 4}, {"group", 3}},
     "reconstruction_target: groups of 3 frames do not divide f32[1x3x4x8x8]"},
    {"pixel", &op_reconstruction_target, {f32({1, 3, 4, 8, 8})}, {{"tubelet", 1}, {"patch", 1}},
     "reconstruction_target: a cube of one pixel cannot be normalised"},
    {"index", &op_reconstruction_target, {f32({1, 3, 4, 8, 8}), i32({2, 3})}, kCubes,
     "reconstruction_target: index must be i32 [batch, tokens]; got i32[2x3] for f32[1x3x4x8x8]"},
    {"prediction", &op_reconstruction_loss,
     {f32({1, 8, 96}), f32({1, 3, 4, 8, 8}), i32({1, 5})}, kCubes,
     "reconstruction_loss: pred must be f32[1x5x96], not empty; got f32[1x8x96]"},
    {"nothing", &op_reconstruction_loss,
     {f32({1, 0, 96}), f32({1, 3, 4, 8, 8}), i32({1, 0})}, kCubes,
     "reconstruction_loss: pred must be f32[1x0x96], not empty; got f32[1x0x96]"},
    {"rounded", &op_reconstruction_loss, {f32({1, 8, 96}), f32({1, 3, 4, 8, 8})},
     {{"tubelet", 2}, {"patch", 4}, {"result", DType::i32}},
     "reconstruction_loss: result must be f32 (as computed), or bf16 or f16 for what is computed in "
     "f32; got i32 for f32"},
    {"types", &op_mean_squared_error, {f32({2}), f64({2})}, {},
     "mean_squared_error: pred and target must be float tensors of one type; got f32[2] and f64[2]"},
    {"mean", &op_mean_squared_error, {f32({2, 0}), f32({2, 0})}, {},
     "mean_squared_error: there is no mean of nothing; got f32[2x0]"},
};

const Mistake kLayers[] = {
    {"scalar", &op_softmax, {f32({})}, {}, "softmax: input needs at least one axis; got f32[]"},
    {"integers", &op_softmax, {i32({3})}, {}, "softmax: input must be a float tensor; got i32[3]"},
    {"two_types", &op_softmax_grad, {f32({3}), f32({4})}, {},
     "softmax_grad: y and dy must have one type; got f32[3] and f32[4]"},
    {"scalar", &op_softmax_grad, {f32({}), f32({})}, {},
     "softmax_grad: y needs at least one axis; got f32[]"},
    {"integers", &op_softmax_grad, {i32({3}), i32({3})}, {},
     "softmax_grad: input must be a float tensor; got i32[3]"},
    {"scalar", &op_layer_norm, {f32({}), f32({1}), f32({1})}, {{"eps", 1e-6}},
     "layer_norm: input must be a float tensor with at least one element per row; got f32[]"},
    {"empty_rows", &op_layer_norm, {f32({2, 0}), f32({0}), f32({0})}, {{"eps", 1e-6}},
     "layer_norm: input must be a float tensor with at least one element per row; got f32[2x0]"},
    {"weight", &op_layer_norm, {f32({2, 3}), f32({2}), f32({3})}, {{"eps", 1e-6}},
     "layer_norm: weight and bias must be f32[3]; got f32[2] and f32[3]"},
    {"two_types", &op_layer_norm_grad, {f32({2, 3}), f32({3}), f32({3}), f32({2}), f32({2})}, {},
     "layer_norm_grad: dy and x must have one shape, and one type or a 16-bit dy; got f32[2x3] and "
     "f32[3]"},
    {"integers", &op_layer_norm_grad, {i32({2, 3}), i32({2, 3}), i32({3}), i32({2}), i32({2})}, {},
     "layer_norm_grad: x must be a float tensor with at least one element per row; got i32[2x3]"},
    {"weight", &op_layer_norm_grad, {f32({2, 3}), f32({2, 3}), f32({2}), f32({2}), f32({2})}, {},
     "layer_norm_grad: weight must be f32[3]; got f32[2]"},
    {"statistics", &op_layer_norm_grad, {f32({2, 3}), f32({2, 3}), f32({3}), f32({2}), f64({2})},
     {},
     "layer_norm_grad: mean and rstd must be f32[2]; got f32[2] and f64[2]"},
    {"residual", &op_layer_norm_grad,
     {f32({2, 3}), f32({2, 3}), f32({3}), f32({2}), f32({2}), f32({2, 4})}, {},
     "layer_norm_grad: residual must be f32[2x3]; got f32[2x4]"},
    {"types", &op_global_norm, {f32({2}), f32({}), f64({3})}, {},
     "global_norm: all inputs must be of one float type; input 2 is f64[3], input 0 f32[2]"},
    {"integers", &op_global_norm, {i32({2})}, {},
     "global_norm: all inputs must be of one float type; input 0 is i32[2], input 0 i32[2]"},
    {"target", &op_cross_entropy, {f32({2, 3}), f32({2, 4})}, {},
     "cross_entropy: logits and target must be float tensors [B,C] of one type; got f32[2x3] and "
     "f32[2x4]"},
    {"no_classes", &op_cross_entropy, {f32({2, 0}), f32({2, 0})}, {},
     "cross_entropy: needs at least one class; got f32[2x0]"},
    {"integers", &op_adamw,
     {i32({2}), i32({2}), i32({2}), i32({2}), i32({}), i32({}), i32({}), i64({}), boolean({})},
     kBetas, "adamw: the parameter must be a float tensor; got i32[2]"},
    {"moment", &op_adamw,
     {f32({2}), f32({2}), f32({3}), f32({2}), f32({}), f32({}), f32({}), i64({}), boolean({})},
     kBetas, "adamw: m, v and grad must have the parameter's type f32[2]; input 2 is f32[3]"},
    {"rate", &op_adamw,
     {f32({2}), f32({2}), f32({2}), f32({2}), f32({1}), f32({}), f64({}), i64({}), boolean({})},
     kBetas, "adamw: lr, weight_decay and scale must be f32[]; got f32[1], f32[] and f64[]"},
    {"step", &op_adamw,
     {f32({2}), f32({2}), f32({2}), f32({2}), f32({}), f32({}), f32({}), i32({}), boolean({})},
     kBetas, "adamw: step must be i64[] and apply bool[]; got i32[] and bool[]"},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(elementwise, RefusedBy, ::testing::ValuesIn(kElementwise), name_of_test);
INSTANTIATE_TEST_SUITE_P(products, RefusedBy, ::testing::ValuesIn(kProducts), name_of_test);
INSTANTIATE_TEST_SUITE_P(layout, RefusedBy, ::testing::ValuesIn(kLayout), name_of_test);
INSTANTIATE_TEST_SUITE_P(tokens, RefusedBy, ::testing::ValuesIn(kTokens), name_of_test);
INSTANTIATE_TEST_SUITE_P(sources, RefusedBy, ::testing::ValuesIn(kSources), name_of_test);
INSTANTIATE_TEST_SUITE_P(attention, RefusedBy, ::testing::ValuesIn(kAttention), name_of_test);
INSTANTIATE_TEST_SUITE_P(targets, RefusedBy, ::testing::ValuesIn(kTargets), name_of_test);
INSTANTIATE_TEST_SUITE_P(results, RefusedBy, ::testing::ValuesIn(kResults), name_of_test);
INSTANTIATE_TEST_SUITE_P(layers, RefusedBy, ::testing::ValuesIn(kLayers), name_of_test);

// A refused node %h in encoder/blocks.3 leaves nothing behind; returns the message.
std::string error_in_a_block(const OpDef& op, const std::vector<TensorType>& types,
                             const std::vector<NamedAttr>& attrs) {
  Graph graph;
  Builder b(graph);
  std::vector<Value> inputs;
  for (const TensorType& type : types) inputs.push_back(b.input(cat("in", inputs.size()), type));
  const Scope encoder(b, "encoder");
  const Scope block(b, "blocks.3");
  std::string message = "accepted";
  try {
    graph.add_node(op, inputs, attrs, "h");
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT_TRUE(graph.nodes().empty());
  for (const Value& input : inputs) EXPECT_TRUE(input.users().empty());
  return message;
}

TEST(InferenceErrors, name_the_node_and_where_it_is) {
  EXPECT_EQ(error_in_a_block(op_linear, {f32({8, 101, 512}), f32({2048, 384})}, {}),
            "linear %h (encoder/blocks.3): input dim 2 must equal weight dim 1; input "
            "f32[8x101x512], weight f32[2048x384]");
  EXPECT_EQ(error_in_a_block(op_linear, {f32({8, 101, 512})}, {}),
            "linear %h (encoder/blocks.3): wrong number of inputs: 1");
  EXPECT_EQ(error_in_a_block(op_concat, {f32({2})}, {}),
            "concat %h (encoder/blocks.3): attribute 'axis' must be given");
}

TEST(InferenceErrors, name_the_node_for_a_shape_that_cannot_be) {
  EXPECT_EQ(error_in_a_block(op_reshape, {f32({6})}, {{"shape", Ints{-2, -3}}}),
            "reshape %h (encoder/blocks.3): a dimension must not be negative; got -2");
  EXPECT_EQ(error_in_a_block(op_broadcast, {f32({})}, {{"shape", Ints{1 << 30, 1 << 30}}}),
            "broadcast %h (encoder/blocks.3): a shape with a dimension of 1073741824 exceeds the "
            "limit of 2^40 elements");
  EXPECT_EQ(error_in_a_block(op_full, {}, {{"value", 0.0}, {"shape", Ints(9, 1)}}),
            "full %h (encoder/blocks.3): a shape has at most 8 dimensions; got 9");
}

TEST(InferenceErrors, name_the_node_once_in_a_graph_that_is_verified) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", f32({2, 3}));
  const Value y = b.add(x, b.input("z", f32({3})));
  graph.rename(y, "y");
  b.output("y", y);
  graph.set_type(x, f32({2, 4}));
  EXPECT_EQ(testing::error_of([&] { verify(graph); }),
            "add %y: shapes do not broadcast together: [2x4] and [3]");
}

}  // namespace
}  // namespace grimace
