// The example of docs/add-an-op.md: what the page shows is this text, and the op works.
#include "tests/docs/add_an_op_example.h"

#include <gmock/gmock.h>

#include "autodiff/gradient_check.h"
#include "backends/backend.h"
#include "ir/interpret.h"
#include "ir/passes/passes.h"
#include "ir/text.h"
#include "tests/docs/page.h"
#include "tests/op_cases.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::OpCase;
using testing::random_inputs;

OpCase example() {
  return {&op_leaky_relu, {{{DType::f32, {2, 3}}}}, {{"slope", 0.25}}, {0.0, "moved or scaled"}};
}

std::vector<double> run_op(std::vector<float> values, std::vector<NamedAttr> attrs) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {static_cast<int64_t>(values.size())}});
  b.output("y", b.emit(op_leaky_relu, {x}, std::move(attrs)));
  Buffer buffer(x.type());
  std::copy(values.begin(), values.end(), buffer.view().as<float>().begin());
  return testing::numbers_of(interpret(graph, {{"x", buffer}}).outputs.at("y").view());
}

TEST(AddAnOp, the_page_shows_the_example_that_is_compiled) {
  EXPECT_THAT(testing::page("docs/add-an-op.md"),
              HasSubstr(testing::code_block("tests/docs/add_an_op_example.h")));
}

TEST(AddAnOp, the_example_scales_what_is_negative) {
  EXPECT_THAT(run_op({-4, 0, 3}, {{"slope", 0.25}}), ElementsAre(-1, 0, 3));
  EXPECT_THAT(run_op({-100, 1}, {}), ElementsAre(static_cast<double>(-100 * 0.01f), 1));
}

TEST(AddAnOp, the_example_refuses_a_negative_slope) {
  EXPECT_THAT(testing::error_of([&] {
                run_op({1}, {{"slope", -1.0}});
              }),
              HasSubstr("slope must not be negative; got -1"));
}

TEST(AddAnOp, the_example_has_the_right_gradient) {
  const auto graph = build(example(), DType::f64);
  const auto worst = check_gradients(*graph, random_inputs(example(), 3, DType::f64), {"in0"});
  EXPECT_EQ(worst.compared, 6);
  EXPECT_LT(worst.error, 1e-6) << worst;
}

TEST(AddAnOp, the_example_equals_its_decomposition) {
  const auto graph = build(example());
  const auto inputs = random_inputs(example(), 3);
  const auto whole = interpret(*graph, inputs);
  EXPECT_EQ(expand(*graph, [](const Node&) { return false; }), 1);
  EXPECT_EQ(whole.outputs.at("out0").data, interpret(*graph, inputs).outputs.at("out0").data);
}

TEST(AddAnOp, every_backend_runs_the_example_without_a_kernel_of_its_own) {
  const auto graph = build(example());
  const auto inputs = random_inputs(example(), 3);
  const auto expected = interpret(*graph, inputs);
  for (const std::string& name : backend_names()) {
    const auto backend = make_backend(name);
    if (!backend->unavailable().empty()) continue;
    const auto executable = backend->compile(*graph, {});
    executable->write("in0", inputs.at("in0").view());
    executable->run();
    EXPECT_EQ(testing::numbers_of(executable->view("out0")),
              testing::numbers_of(expected.outputs.at("out0").view()))
        << name;
  }
}

}  // namespace
}  // namespace grimace
