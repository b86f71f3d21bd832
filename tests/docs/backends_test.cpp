// The example of docs/backends.md: what the page shows is the text that is compiled, and it runs
// every op; and the program that builds, trains and saves a model.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "examples/tiny_backend/tiny_backend.h"
#include "models/classifier.h"
#include "tests/docs/page.h"
#include "tests/op_cases.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;

std::map<std::string, Tensor> outputs_of(Backend& backend, const Graph& graph,
                                         const std::map<std::string, Buffer>& inputs) {
  const auto executable = backend.compile(graph, {});
  for (const auto& [name, buffer] : inputs) executable->write(name, buffer.view());
  executable->run();
  std::map<std::string, Tensor> outputs;
  for (const Output& output : graph.outputs()) outputs[output.name] = executable->read(output.name);
  return outputs;
}

void expect_like_the_reference(const Graph& graph, const std::map<std::string, Buffer>& inputs,
                               double limit) {
  const auto wanted = outputs_of(*make_backend("reference"), graph, inputs);
  ASSERT_FALSE(wanted.empty());
  const auto got = outputs_of(*make_tiny_backend(), graph, inputs);
  for (const auto& [name, tensor] : wanted)
    EXPECT_LE(testing::relative_max_error(tensor.view(), got.at(name).view()), limit) << name;
}

TEST(Backends, the_page_shows_the_example_that_is_compiled) {
  EXPECT_THAT(testing::page("docs/backends.md"),
              HasSubstr(testing::code_block("examples/tiny_backend/tiny_backend.cpp")));
}

TEST(Backends, the_example_runs_every_op_like_the_reference) {
  for (const testing::OpCase& op_case : testing::op_cases()) {
    SCOPED_TRACE(op_case.name());
    const double limit = op_case.has_16_bit() ? op_case.tolerance.in_16_bit
                                              : std::max(1e-6, op_case.tolerance.value);
    expect_like_the_reference(*build(op_case), random_inputs(op_case, 5), limit);
  }
}

TEST(Backends, the_example_runs_a_model_with_its_own_products) {
  const ModelConfig config{
      .image = 32, .frames = 4, .embed_dim = 16, .heads = 2, .depth = 2, .region = {1, 1, 2}};
  Graph graph("classifier");
  Builder b(graph);
  b.output("logits", build_classifier(b, config, {}).logits);
  const auto backend = make_tiny_backend();
  const auto lowered = backend->lower(graph, Precision::f32);
  const auto own = [&](const OpDef& op) {
    return std::ranges::count_if(
        lowered->nodes(), [&](const Node& node) { return node.is(op) && backend->supports(node); });
  };
  EXPECT_GT(own(op_matmul), 10);
  EXPECT_GT(own(op_add), 5);
  expect_like_the_reference(graph, testing::random_inputs(graph), 1e-5);
}

TEST(Backends, the_example_keeps_a_memory_budget_and_names_slow_nodes) {
  Graph graph;
  Builder b(graph);
  b.output("y", b.exp(b.input("x", {DType::f32, {4}})));
  const auto backend = make_tiny_backend();
  EXPECT_EQ(backend->compile(graph, {})->info().slow_nodes, std::vector<std::string>{"exp x1"});
  try {
    backend->compile(graph, {.memory_budget = 1});
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("the memory budget of 0 MiB cannot be met"));
  }
}

TEST(Backends, the_example_refuses_a_precision_it_has_not) {
  EXPECT_EQ(testing::error_of([&] {
              make_tiny_backend()->compile(Graph("empty"), {.precision = Precision::bf16});
            }),
            "the tiny backend computes in f32 only; got precision bf16");
}

TEST(DefineAModel, trains_saves_and_reads_again_a_model_that_is_right) {
  const testing::ScratchDir scratch;
  const std::string said = (scratch / "said.txt").string();
  ASSERT_EQ(
      std::system(cat(DEFINE_A_MODEL_PROGRAM, " ", scratch.path().string(), " > ", said).c_str()),
      0);
  std::ifstream file(said);
  double right = 0.0;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("of new points right")) continue;
    right = std::stod(line.substr(line.find(": ") + 2));
    EXPECT_GT(right, 90.0) << line;
  }
  EXPECT_GT(right, 0.0);
  EXPECT_TRUE(std::filesystem::exists(scratch / "ring.grim"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "ring.safetensors"));
}

}  // namespace
}  // namespace grimace
