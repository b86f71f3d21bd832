// The ONNX form of a graph: its structure, its bytes, and what is refused.
#include "ir/onnx_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ir/op_def.h"
#include "tests/onnx_check.h"
#include "tests/testing.h"

namespace grimace::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr std::array<float, 12> kZeros{};

OnnxExport with_zeros(const Graph* one_more = nullptr) {
  return {.weights =
              [](Value param) {
                return std::as_bytes(std::span(kZeros))
                    .first(static_cast<size_t>(param.type().bytes()));
              },
          .one_more = one_more};
}

std::unique_ptr<Graph> layer(int64_t clips) {
  auto graph = std::make_unique<Graph>("layer");
  Builder b(*graph);
  const Value x = b.input("x", {DType::f32, {clips, 4, 3}});
  const Value y = b.gelu(b.linear(x, b.param("fc.weight", {4, 3}), b.param("fc.bias", {4})));
  const Value table = b.broadcast(b.param("table", {4}), {clips, 4, 4});
  b.output("y", b.reshape(y + table, {clips * 4, 4}));
  return graph;
}

std::vector<std::string> ops_of(const onnx::ModelProto& model) {
  std::vector<std::string> ops;
  for (const auto& node : model.graph().node()) ops.push_back(node.op_type());
  return ops;
}

std::string error_of(const Graph& graph, const OnnxExport& what = with_zeros()) {
  return testing::error_of([&] { to_onnx(graph, what); });
}

TEST(OnnxExport, writes_a_linear_layer_as_its_parts) {
  const onnx::ModelProto model = parse_onnx(to_onnx(*layer(2), with_zeros()));
  EXPECT_EQ(onnx_fault(model), "");
  EXPECT_EQ(model.opset_import(0).version(), 17);
  EXPECT_EQ(model.ir_version(), 8);
  const std::vector<std::string> ops = ops_of(model);
  EXPECT_THAT(ops, ::testing::IsSupersetOf({"Transpose", "MatMul", "Add", "Erf", "Expand"}));
  EXPECT_EQ(std::ranges::count(ops, "Gelu"), 0);
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) names.push_back(model.graph().initializer(i).name());
  EXPECT_THAT(names, UnorderedElementsAre("fc.weight", "fc.bias", "table"));
  EXPECT_EQ(model.graph().output(0).name(), "y");
  EXPECT_EQ(model.graph().output(0).type().tensor_type().shape().dim(0).dim_value(), 8);
}

TEST(OnnxExport, one_clip_more_frees_the_batch) {
  const auto more = layer(3);
  const onnx::ModelProto model = parse_onnx(to_onnx(*layer(2), with_zeros(more.get())));
  EXPECT_EQ(onnx_fault(model), "");
  const auto& in = model.graph().input(0).type().tensor_type().shape();
  EXPECT_EQ(in.dim(0).dim_param(), "batch");
  EXPECT_EQ(in.dim(1).dim_value(), 4);
  EXPECT_EQ(model.graph().output(0).type().tensor_type().shape().dim(0).dim_param(), "4*batch");
  EXPECT_THAT(ops_of(model), ::testing::Contains("Shape"));
  // No constant holds the number of clips of either graph.
  for (const auto& tensor : model.graph().initializer())
    EXPECT_NE(tensor.name(), "integers:[2,4,4]");
}

TEST(OnnxExport, has_the_field_numbers_of_the_published_format) {
  Graph graph("g");
  Builder b(graph);
  b.output("y", b.neg(b.input("x", {DType::f32, {1}})));
  const std::string bytes = to_onnx(graph, with_zeros());
  // Written out by hand: field << 3 | wire type, length, content.
  using namespace std::string_literals;
  EXPECT_THAT(bytes, HasSubstr("\x08\x08"s));                                // ir_version 8
  EXPECT_THAT(bytes, HasSubstr("\x12\x07grimace"s));                         // producer_name
  EXPECT_THAT(bytes, HasSubstr("\x0a\x01x\x12\x01y\x1a\x01y\x22\x03Neg"s));  // the node
  // input x: a tensor of element type 1 and one dimension, 1.
  EXPECT_THAT(bytes,
              HasSubstr("\x5a\x0f\x0a\x01x\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01"s));
  EXPECT_THAT(bytes, HasSubstr("\x42\x04\x0a\x00\x10\x11"s));  // opset_import "" 17
}

TEST(OnnxExport, names_values_of_one_name_apart) {
  Graph graph("g");
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2}});
  const Value h = b.emit(op_exp, {x}, {}, "x");
  b.output("first", h);
  b.output("second", h);
  const onnx::ModelProto model = parse_onnx(to_onnx(graph, with_zeros()));
  EXPECT_EQ(onnx_fault(model), "");
  EXPECT_EQ(model.graph().output(1).name(), "second");
}

TEST(OnnxExport, refuses_what_is_no_inference) {
  Graph step("step");
  Builder b(step);
  const Value w = b.param("w", {3});
  b.update(w, w * 2.0);
  EXPECT_EQ(error_of(step), "graph 'step' is a training step; ONNX export is for inference");

  Graph narrow("narrow");
  Builder n(narrow);
  n.output("y", n.neg(n.cast(n.input("x", {DType::f32, {3}}), DType::bf16)));
  EXPECT_THAT(error_of(narrow), HasSubstr("bf16 tensors are not written"));

  Graph gather("gather");
  Builder g(gather);
  g.output("y",
           g.gather_rows(g.input("x", {DType::f32, {4, 3}}), g.input("i", {DType::i32, {1, 2}})));
  EXPECT_THAT(error_of(gather), HasSubstr("gather_rows: ONNX export: this op is not written"));
}

TEST(OnnxExport, refuses_more_than_two_gigabytes_before_reading_a_weight) {
  Graph graph("large");
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {1, 32768}});
  b.output("y", b.linear(x, b.param("w", {16384, 32768})));
  const OnnxExport none{.weights = [](Value) -> std::span<const std::byte> {
    throw InternalError("a weight was read");
  }};
  EXPECT_EQ(error_of(graph, none),
            "graph 'large': its weights have 2147483648 bytes; an ONNX file can have at most "
            "2147483647");
}

}  // namespace
}  // namespace grimace::testing
