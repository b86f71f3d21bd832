// One function per op that needs more than another name.
#include "ir/onnx_ops.h"

#include <algorithm>
#include <numeric>

#include "ir/interpret.h"
#include "ir/op_def.h"
#include "ir/passes/guards.h"

namespace grimace {
namespace {

using Write = void (*)(const OnnxNode& n);

void one_over_root(const OnnxNode& n) {
  n.emit("Reciprocal", {n.emit_before("Sqrt", n.inputs, "root")});
}

void finite(const OnnxNode& n) {
  const std::string nan = n.emit_before("IsNaN", n.inputs, "nan");
  const std::string infinite = n.emit_before("IsInf", n.inputs, "infinite");
  n.emit("Not", {n.emit_before("Or", {nan, infinite}, "either")});
}

void cast(const OnnxNode& n) {
  set_attribute(n.emit("Cast", n.inputs), "to", int64_t{onnx_type(n.node.dtype("to"))});
}

// The input with its last two axes exchanged.
std::string turned(const OnnxNode& n, int input, std::string_view what) {
  const std::string name = n.out.derived(n.result, what);
  std::vector<int64_t> order(static_cast<size_t>(n.node.in(input).shape.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order.back(), order[order.size() - 2]);
  set_attribute(n.out.node("Transpose", {n.inputs[static_cast<size_t>(input)]}, name), "perm",
                order);
  return name;
}

void matmul(const OnnxNode& n) {
  n.emit("MatMul", {n.node.flag("transpose_a") ? turned(n, 0, "a") : n.inputs[0],
                    n.node.flag("transpose_b") ? turned(n, 1, "b") : n.inputs[1]});
}

void reduce_sum(const OnnxNode& n) {
  if (n.node.integers("axes").empty()) {
    n.emit("Identity", n.inputs);
    return;
  }
  onnx::NodeProto& sum =
      n.emit("ReduceSum", {n.inputs[0], n.out.integers(n.node.integers("axes"))});
  set_attribute(sum, "keepdims", int64_t{n.node.flag("keep")});
}

// One dimension may be left to be inferred, which keeps the usual case free of shape arithmetic.
void reshape(const OnnxNode& n) {
  std::vector<OnnxDim> dims = n.dims(n.node.result());
  const auto free = [](const OnnxDim& dim) { return dim.per_clip > 0; };
  const bool empty = std::ranges::count(dims, OnnxDim{}) > 0;
  if (!empty && std::ranges::count_if(dims, free) == 1)
    *std::ranges::find_if(dims, free) = {.fixed = -1};
  onnx::NodeProto& node = n.emit("Reshape", {n.inputs[0], n.out.shape(dims, n.result)});
  if (empty) set_attribute(node, "allowzero", int64_t{1});
}

void transpose(const OnnxNode& n) {
  set_attribute(n.emit("Transpose", n.inputs), "perm", n.node.integers("permutation"));
}

void broadcast(const OnnxNode& n) {
  n.emit("Expand", {n.inputs[0], n.out.shape(n.dims(n.node.result()), n.result)});
}

void slice(const OnnxNode& n) {
  const auto one = [&](const char* attr) { return n.out.integers({n.node.integer(attr)}); };
  n.emit("Slice", {n.inputs[0], one("begin"), one("end"), one("axis")});
}

void pad(const OnnxNode& n) {
  const int rank = n.node.in(0).shape.rank();
  std::vector<int64_t> pads(static_cast<size_t>(2 * rank));
  const int axis = n.node.in(0).shape.normalise(static_cast<int>(n.node.integer("axis")));
  pads[static_cast<size_t>(axis)] = n.node.integer("before");
  pads[static_cast<size_t>(rank + axis)] = n.node.integer("after");
  n.emit("Pad", {n.inputs[0], n.out.integers(pads)});
}

void concat(const OnnxNode& n) {
  set_attribute(n.emit("Concat", n.inputs), "axis", n.node.integer("axis"));
}

void full(const OnnxNode& n) {
  const TensorType& type = n.node.out();
  const std::string value = n.out.scalar(n.node.real("value"), type.dtype);
  n.emit("Expand", {value, n.out.shape(n.dims(n.node.result()), n.result)});
}

void position_table(const OnnxNode& n) {
  Buffer table(n.node.out());
  const std::vector<View> results{table.view()};
  run_reference(n.node, {}, results);
  n.out.tensor(n.result, table.type, table.data);
}

void softmax(const OnnxNode& n) {
  set_attribute(n.emit("Softmax", n.inputs), "axis", int64_t{-1});
}

void layer_norm(const OnnxNode& n) {
  set_attribute(n.emit("LayerNormalization", n.inputs), "epsilon", n.node.real("eps"));
}

struct Row {
  const OpDef* op;
  const char* name;       // of the ONNX op that is the same
  Write write = nullptr;  // where there is none
};

const Row kRows[] = {
    {&op_neg, "Neg"},
    {&op_exp, "Exp"},
    {&op_log, "Log"},
    {&op_sqrt, "Sqrt"},
    {&op_erf, "Erf"},
    {&op_floor, "Floor"},
    {&op_add, "Add"},
    {&op_sub, "Sub"},
    {&op_mul, "Mul"},
    {&op_div, "Div"},
    {&op_maximum, "Max"},
    {&op_minimum, "Min"},
    {&op_less, "Less"},
    {&op_logical_and, "And"},
    {&op_select, "Where"},
    {&op_rsqrt, "", one_over_root},
    {&op_is_finite, "", finite},
    {&op_cast, "", cast},
    {&op_matmul, "", matmul},
    {&op_reduce_sum, "", reduce_sum},
    {&op_reshape, "", reshape},
    {&op_transpose, "", transpose},
    {&op_broadcast, "", broadcast},
    {&op_slice, "", slice},
    {&op_pad, "", pad},
    {&op_concat, "", concat},
    {&op_full, "", full},
    {&op_position_table, "", position_table},
    {&op_softmax, "", softmax},
    {&op_layer_norm, "", layer_norm},
};

const Row* row_of(const Node& node) {
  const auto found = std::ranges::find(kRows, &node.op(), &Row::op);
  return found == std::end(kRows) ? nullptr : found;
}

}  // namespace

bool onnx_has(const Node& node) {
  return row_of(node) != nullptr && only_first_result_used(node);
}

void write_onnx(const OnnxNode& n) {
  const Row* row = row_of(n.node);
  n.node.require(row != nullptr,
                 "ONNX export: this op is not written; only what a classifier "
                 "needs to answer is");
  if (row->write != nullptr)
    row->write(n);
  else
    n.emit(row->name, n.inputs);
}

}  // namespace grimace
