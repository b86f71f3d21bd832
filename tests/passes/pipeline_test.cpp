// The lists of passes and the driver that runs them.
#include "ir/builder.h"
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

std::vector<std::string> names_of(std::span<const Pass> passes) {
  std::vector<std::string> names;
  for (const Pass& pass : passes) names.emplace_back(pass.name);
  return names;
}

constexpr std::string_view kModel = R"(graph g {
    input %x : f32[2x4x8]
    input %index : i32[2x2]
    param @w : f32[8x8]
    param @b : f32[8]
    %one = full {value=1} : f32[]
    %scaled = mul %x, %one : f32[2x4x8]
    %h = linear %scaled, @w, @b {bias=true} : f32[2x4x8]
    %v = gather_rows %h, %index : f32[2x2x8]
    %a = gelu %v : f32[2x2x8]
    output %a
  })";

TEST(Pipeline, ListsAreFlat) {
  EXPECT_EQ(names_of(forward_passes()),
            (std::vector<std::string>{"canonicalise", "fold", "eliminate_common", "hoist_gather",
                                      "fuse_attention", "fuse_loss", "canonicalise", "hoist_slice",
                                      "eliminate_dead"}));
  EXPECT_EQ(names_of(training_passes()),
            (std::vector<std::string>{"canonicalise", "fold", "eliminate_common", "fuse_linear",
                                      "fuse_norm", "eliminate_dead"}));
}

TEST(Pipeline, ForwardThenTrainingPassesGiveThisGraph) {
  const auto run_both = [](Graph& graph) {
    int fired = 0;
    for (const auto passes : {forward_passes(), training_passes()})
      for (const PassReport& report : run_passes(graph, passes)) fired += report.fired;
    return fired;
  };
  expect_rewrite(run_both, kModel,
                 R"(graph g {
    input %x : f32[2x4x8]
    input %index : i32[2x2]
    param @w : f32[8x8]
    param @b : f32[8]
    %gather_rows_0 = gather_rows %x, %index : f32[2x2x8]
    %a = linear %gather_rows_0, @w, @b {bias=true, epilogue=gelu} : f32[2x2x8]
    output %a
  })",
                 -1, 1e-5);
}

TEST(Pipeline, ReportsEveryPassAndShowsTheGraphAfterThoseThatFired) {
  const auto graph = parse(kModel);
  std::vector<std::string> shown;
  const std::vector<PassReport> reports =
      run_passes(*graph, forward_passes(),
                 [&](const Pass& pass, const Graph&) { shown.emplace_back(pass.name); });
  ASSERT_EQ(reports.size(), forward_passes().size());
  std::vector<std::string> fired;
  for (size_t i = 0; i < reports.size(); ++i) {
    EXPECT_EQ(reports[i].name, forward_passes()[i].name);
    EXPECT_GE(reports[i].milliseconds, 0.0);
    if (reports[i].fired > 0) fired.push_back(reports[i].name);
  }
  EXPECT_EQ(shown, fired);
  EXPECT_EQ(shown, (std::vector<std::string>{"canonicalise", "hoist_gather"}));
}

// A second run of a list that reached its fixed point finds nothing to do.
TEST(Pipeline, IsIdempotent) {
  const auto graph = parse(kModel);
  run_passes(*graph, forward_passes());
  for (const PassReport& report : run_passes(*graph, forward_passes()))
    EXPECT_EQ(report.fired, 0) << report.name;
}

// The size of a full training step: no pass may be quadratic in it.
TEST(Pipeline, TakesWellUnderASecondOnThousandsOfNodes) {
  Graph graph;
  Builder b(graph);
  Value x = b.input("x", {DType::f32, {4, 8}});
  for (int i = 0; i < 1500; ++i) {
    const Value w = b.param("w" + std::to_string(i), {8, 8});
    x = b.gelu(b.linear(x, w)) * 1.0 + b.reshape(b.reshape(x, {32}), {4, 8});
  }
  b.output("y", x);
  for (const auto passes : {forward_passes(), training_passes()})
    for (const PassReport& report : run_passes(graph, passes))
      EXPECT_LT(report.milliseconds, 1000.0) << report.name;
}

}  // namespace
}  // namespace grimace::testing
