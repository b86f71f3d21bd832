// An f32 graph becomes the same graph in f64.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

int to_f64(Graph& graph) {
  return convert_floats(graph, DType::f64);
}

constexpr std::string_view kSingle = R"(graph g {
    input %x : f32[2x3]
    input %labels : i32[2]
    param @w : f32[3]
    constant @c : f32[3] = [0.5,-1,2]
    state @step : i64[]
    %half = full {value=0.1} : f32[]
    %table = position_table {rows=2, dim=3} : f32[2x3]
    %hot = one_hot %labels {classes=3} : f32[2x3]
    %random = random_uniform @step, @step {site=0, shape=[2,3]} : f32[2x3]
    %count = cast @step {to=f32} : f32[]
    %finite = is_finite %x : bool[2x3]
    %y, %mean, %rstd = layer_norm %x, @w, @c {eps=1e-06} : f32[2x3], f32[2], f32[2]
    %a = mul %y, %half : f32[2x3]
    %b = add %a, %table : f32[2x3]
    %c = add %b, %hot : f32[2x3]
    %d = add %c, %random : f32[2x3]
    %e = add %d, %count : f32[2x3]
    output %e
    output %finite
  })";

constexpr std::string_view kDouble = R"(graph g {
    input %x : f64[2x3]
    input %labels : i32[2]
    param @w : f64[3]
    constant @c : f64[3] = [0.5,-1,2]
    state @step : i64[]
    %half = full {value=0.1, dtype=f64} : f64[]
    %table = position_table {rows=2, dim=3, dtype=f64} : f64[2x3]
    %hot = one_hot %labels {classes=3, dtype=f64} : f64[2x3]
    %random = random_uniform @step, @step {site=0, shape=[2,3], dtype=f64} : f64[2x3]
    %count = cast @step {to=f64} : f64[]
    %finite = is_finite %x : bool[2x3]
    %y, %mean, %rstd = layer_norm %x, @w, @c {eps=1e-06} : f64[2x3], f64[2], f64[2]
    %a = mul %y, %half : f64[2x3]
    %b = add %a, %table : f64[2x3]
    %c = add %b, %hot : f64[2x3]
    %d = add %c, %random : f64[2x3]
    %e = add %d, %count : f64[2x3]
    output %e
    output %finite
  })";

TEST(ConvertFloats, ChangesInputsConstantsAttributesAndResults) {
  const auto graph = parse(kSingle);
  EXPECT_GT(to_f64(*graph), 0);
  ASSERT_NO_THROW(verify(*graph));
  EXPECT_EQ(print(*graph), canonical_text(kDouble));
}

TEST(ConvertFloats, GivesTheSameNumbersToFloatPrecision) {
  const auto single = parse(kSingle);
  const auto twice = parse(kSingle);
  to_f64(*twice);
  const auto inputs = random_inputs(*single);
  auto wide = inputs;
  for (auto& [name, buffer] : wide) {
    if (buffer.type.dtype != DType::f32) continue;
    const Buffer narrow = buffer;
    buffer = Buffer({DType::f64, narrow.type.shape});
    const auto from = narrow.view().as<float>();
    std::copy(from.begin(), from.end(), buffer.view().as<double>().begin());
  }
  expect_same(interpret(*single, inputs).outputs, interpret(*twice, wide).outputs, 1e-6);
}

TEST(ConvertFloats, LeavesAnF64GraphAndAnF32TargetAlone) {
  expect_unchanged(to_f64, kDouble);
  expect_unchanged([](Graph& graph) { return convert_floats(graph, DType::f32); }, kSingle);
}

TEST(ConvertFloats, RefusesSixteenBits) {
  EXPECT_THROW(convert_floats(*parse(kSingle), DType::bf16), InternalError);
}

}  // namespace
}  // namespace grimace::testing
