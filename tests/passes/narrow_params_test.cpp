// Parameters that are only read in 16 bits are stored so, but never those that are trained.
#include "runtime/tensor.h"
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

int narrow_params_to_bf16(Graph& graph) {
  return narrow_params(graph, DType::bf16);
}

TEST(NarrowParams, StoresAParameterAsAllItsReadersCastIt) {
  const std::unique_ptr<Graph> graph = parse(R"(graph g {
    input %x : bf16[4x8]
    param @w : f32[8x8]
    %a = cast @w {to=bf16} : bf16[8x8]
    %b = cast @w {to=bf16} : bf16[8x8]
    %h = linear %x, %a : f32[4x8]
    %y = matmul %x, %b : f32[4x8]
    output %h
    output %y
  })");
  auto inputs = random_inputs(*graph);
  const Interpretation expected = interpret(*graph, inputs);
  EXPECT_EQ(narrow_params_to_bf16(*graph), 1);
  ASSERT_NO_THROW(verify(*graph));
  EXPECT_EQ(print(*graph), canonical_text(R"(graph g {
    input %x : bf16[4x8]
    param @w : bf16[8x8]
    %h = linear %x, @w : f32[4x8]
    %y = matmul %x, @w : f32[4x8]
    output %h
    output %y
  })"));
  Buffer narrow({DType::bf16, {8, 8}});  // as a write into the parameter makes it
  convert(inputs.at("w").view(), narrow.view());
  inputs.at("w") = narrow;
  expect_same(expected.outputs, interpret(*graph, inputs).outputs, 0.0);
}

TEST(NarrowParams, StaysAwayFromWhatIsTrainedOrReadWhole) {
  expect_unchanged(narrow_params_to_bf16, R"(graph g {
    param @trained : f32[8]
    param @read_whole : f32[8]
    param @shown : f32[8]
    param @other_type : f32[8]
    param @unused : f32[8]
    %a = cast @trained {to=bf16} : bf16[8]
    %b = cast @read_whole {to=bf16} : bf16[8]
    %c = cast @shown {to=bf16} : bf16[8]
    %d = cast @other_type {to=f64} : f64[8]
    %next = exp @trained : f32[8]
    %whole = exp @read_whole : f32[8]
    output %a
    output %b
    output %c
    output %d
    output %whole
    output shown = @shown
    update @trained = %next
  })");
}

}  // namespace
}  // namespace grimace::testing
