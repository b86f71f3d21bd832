// Values computed again to fit a budget: which, that they are the same bit for bit, and what is
// said when it cannot be done.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ir/op_def.h"
#include "runtime/plan.h"
#include "tests/passes/pass_testing.h"
#include "tests/runtime/plan_graphs.h"
#include "tests/testing.h"

namespace grimace::testing {
namespace {

int fit(Graph& graph, int64_t budget) {
  return rematerialise(graph, budget, [](const Graph& g) { return plan_memory(g).peak; });
}

int64_t planned(const Graph& graph) {
  return plan_memory(graph).arena_bytes();
}

// A gelu that is read before and after the moment when most is alive.
constexpr const char* kKept = R"(graph g {
  input %x : f32[1024]
  %h = gelu %x : f32[1024]
  %s = reduce_sum %h {axes=[0]} : f32[]
  %wide = broadcast %s {shape=[8192]} : f32[8192]
  %t = reduce_sum %wide {axes=[0]} : f32[]
  %view = reshape %h {shape=[32,32]} : f32[32x32]
  %u = reduce_sum %view {axes=[0,1]} : f32[]
  %y = add %t, %u : f32[]
  output %y
})";

TEST(Rematerialise, ComputesAValueAgainWhereItIsNextRead) {
  const auto fit_tightly = [](Graph& graph) { return fit(graph, planned(graph) - 4096); };
  expect_rewrite(fit_tightly, kKept, R"(graph g {
    input %x : f32[1024]
    %h = gelu %x : f32[1024]
    %s = reduce_sum %h {axes=[0]} : f32[]
    %wide = broadcast %s {shape=[8192]} : f32[8192]
    %t = reduce_sum %wide {axes=[0]} : f32[]
    %gelu_1 = gelu %x : f32[1024]  # again/
    %reshape_0 = reshape %gelu_1 {shape=[32,32]} : f32[32x32]  # again/
    %u = reduce_sum %reshape_0 {axes=[0,1]} : f32[]
    %y = add %t, %u : f32[]
    output %y
  })",
                 1);
}

TEST(Rematerialise, LeavesAGraphAloneThatFits) {
  expect_unchanged([](Graph& graph) { return fit(graph, planned(graph)); }, kKept);
}

TEST(Rematerialise, SaysTheLeastThatItCanReach) {
  const auto graph = parse(kKept);
  EXPECT_EQ(testing::error_of([&] { fit(*graph, 4096); }),
            "the memory budget of 0 MiB cannot be met: the plan takes 1 MiB, and 1 MiB when "
            "values are computed again; give at least that, or use a smaller batch");
}

TEST(Rematerialise, ATrainingStepGivesTheSameBitsInEveryBudgetItCanMeet) {
  const auto step = tiny_training_step(Encoder::local_global, 1);  // drop path: random numbers too
  const auto inputs = tiny_inputs(*step, 5);
  const Interpretation expected = interpret(*step, inputs);
  const int64_t whole = plan_memory(*step).transient_bytes;
  const int64_t kept = plan_memory(*step).persistent_bytes;
  int most = 1;
  for (const double share : {0.98, 0.95, 0.92}) {
    const auto graph = step->clone();
    const auto budget = kept + static_cast<int64_t>(share * static_cast<double>(whole));
    const int fired = fit(*graph, budget);
    EXPECT_GE(fired, most);
    most = fired;
    ASSERT_NO_THROW(verify(*graph));
    EXPECT_LE(planned(*graph), budget);
    const Interpretation actual = interpret(*graph, inputs);
    expect_same(expected.outputs, actual.outputs, 0.0);
    expect_same(expected.updates, actual.updates, 0.0);
  }
}

MemoryPeak peak_of(const Graph& graph) {
  return plan_memory(graph).peak;
}

TEST(Rematerialise, WithinALimitTakesWhatIsCheapAndNothingElse) {
  const auto cheap = parse(kKept);
  EXPECT_GT(rematerialise_within(*cheap, 0.5, peak_of), 0);
  EXPECT_LT(planned(*cheap), planned(*parse(kKept)));
  expect_unchanged([](Graph& graph) { return rematerialise_within(graph, 0.001, peak_of); }, kKept);
}

TEST(Rematerialise, WithinALimitGivesTheSameBits) {
  const auto step = tiny_training_step(Encoder::local_global, 1);
  const auto inputs = tiny_inputs(*step, 5);
  const Interpretation expected = interpret(*step, inputs);
  const auto graph = step->clone();
  EXPECT_GT(rematerialise_within(*graph, 0.05, peak_of), 0);
  EXPECT_LT(planned(*graph), planned(*step));
  const Interpretation actual = interpret(*graph, inputs);
  expect_same(expected.outputs, actual.outputs, 0.0);
  expect_same(expected.updates, actual.updates, 0.0);
}

// What differs once as much is freed as can be, whether that suffices or not; empty where nothing.
std::string difference_when_squeezed(const RandomGraph& random, int share) {
  const auto graph = random.graph.clone();
  try {
    fit(*graph, planned(*graph) * share / 100);
  } catch (const Error& e) {
    if (std::string(e.what()).find("cannot be met") == std::string::npos) return e.what();
  }
  try {
    verify(*graph);
  } catch (const Error& e) {
    return e.what();
  }
  const auto inputs = tiny_inputs(random.graph, 5);
  const Interpretation expected = interpret(random.graph, inputs);
  const Interpretation actual = interpret(*graph, inputs);
  for (const auto& [name, buffer] : expected.outputs)
    if (actual.outputs.at(name).data != buffer.data) return "output " + name;
  for (const auto& [name, buffer] : expected.updates)
    if (actual.updates.at(name).data != buffer.data) return "update of " + name;
  return {};
}

RC_GTEST_PROP(Rematerialise, GivesTheSameBitsInRandomGraphs, ()) {
  const RandomGraph random(*rc::gen::inRange(0, 60), *rc::gen::arbitrary<uint64_t>());
  RC_ASSERT(difference_when_squeezed(random, *rc::gen::inRange(0, 100)) == "");
}

// Two values are computed again before the same node, the second to be read by the first.
TEST(Rematerialise, KeepsTheOrderOfWhatIsComputedAgainInOnePlace) {
  const RandomGraph random(14, 3804583153);
  const auto graph = random.graph.clone();
  rematerialise_within(*graph, 0.02, peak_of);
  EXPECT_NO_THROW(verify(*graph));
  for (int share = 0; share < 100; share += 10)
    EXPECT_EQ(difference_when_squeezed(random, share), "") << share;
}

}  // namespace
}  // namespace grimace::testing
