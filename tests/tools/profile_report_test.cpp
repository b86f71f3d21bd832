// Tables and traces of profiles.
#include "tools/profile_report.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "ir/builder.h"
#include "ir/op_def.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Peaks kPeaks{.f32_flops = 1e9, .bf16_flops = 4e9, .bytes = 1e6};

// Two blocks with a product each, a gradient of one, and an element-wise op outside.
std::unique_ptr<Graph> example() {
  auto graph = std::make_unique<Graph>("example");
  Builder b(*graph);
  const Value x = b.input("x", {DType::f32, {8, 8}});
  const Value half = b.input("half", {DType::bf16, {8, 8}});
  for (const char* scope :
       {"encoder/blocks.0/mlp", "encoder/blocks.11/mlp/fc1", "grad/encoder/blocks.0/mlp"}) {
    graph->scope = scope;
    b.output(scope, b.matmul(x, x));
  }
  graph->scope = "decoder";
  b.output("decoder", b.matmul(half, half));
  graph->scope.clear();
  b.output("y", b.gelu(x));
  return graph;
}

// Four runs in which every node takes a while, and so does what comes between. The first two take
// longer than the others.
Profile profile_of(const Graph& graph) {
  Profile profile(0, 4);
  while (profile.begin_run()) {
    const auto time = std::chrono::microseconds(profile.runs().size() < 2 ? 5000 : 200);
    const auto pause = [&] { std::this_thread::sleep_for(time); };
    for (const Node& node : graph.nodes()) profile.time(&node, pause);
    pause();
    profile.time(nullptr, pause);
    profile.end_run();
  }
  return profile;
}

const ProfileRow& row(const ProfileTable& table, const std::string& name) {
  const auto found = std::ranges::find(table.rows, name, &ProfileRow::name);
  if (found == table.rows.end()) throw Error("no row " + name);
  return *found;
}

TEST(ProfileReport, every_table_sums_to_the_mean_time_of_the_faster_runs) {
  const auto graph = example();
  const Profile profile = profile_of(*graph);
  const double mean = (profile.runs()[2].seconds() + profile.runs()[3].seconds()) / 2;
  double flops = 0.0;
  for (const Node& node : graph->nodes()) flops += static_cast<double>(flops_of(node));
  for (const GroupBy group_by : {GroupBy::scope, GroupBy::op, GroupBy::shapes}) {
    const ProfileTable table = profile_table(profile, group_by, kPeaks);
    double sum = 0.0;
    for (const ProfileRow& r : table.rows) sum += r.seconds;
    EXPECT_NEAR(sum, mean, 1e-9);
    EXPECT_NEAR(table.total.seconds, mean, 1e-9);
    EXPECT_DOUBLE_EQ(table.total.count, 6);  // five nodes and the copies
    EXPECT_DOUBLE_EQ(table.total.flops, flops);
    EXPECT_GE(row(table, "(between nodes)").seconds, 200e-6);
    EXPECT_GE(row(table, "(copy updates)").seconds, 200e-6);
  }
}

TEST(ProfileReport, a_scope_stands_for_all_blocks_and_gradients_stand_apart) {
  const auto graph = example();
  const ProfileTable table = profile_table(profile_of(*graph), GroupBy::scope, kPeaks);
  EXPECT_DOUBLE_EQ(row(table, "encoder/blocks/mlp").count, 2);
  EXPECT_DOUBLE_EQ(row(table, "grad/encoder/blocks/mlp").count, 1);
  EXPECT_DOUBLE_EQ(row(table, "decoder").count, 1);
  EXPECT_DOUBLE_EQ(row(table, "other").count, 1);
  EXPECT_EQ(table.rows.size(), 6u);
}

TEST(ProfileReport, shapes_and_types_tell_rows_of_one_op_apart) {
  const auto graph = example();
  const ProfileTable table = profile_table(profile_of(*graph), GroupBy::shapes, kPeaks);
  EXPECT_EQ(table.rows.size(), 5u);
  const auto types = [&](const char* wanted) {
    return std::ranges::count(table.rows, wanted, &ProfileRow::types);
  };
  EXPECT_EQ(types("f32[8x8], f32[8x8] -> f32[8x8]"), 1);
  EXPECT_EQ(types("bf16[8x8], bf16[8x8] -> f32[8x8]"), 1);
}

TEST(ProfileReport, the_roofline_is_the_peak_that_binds) {
  const auto graph = example();
  const Node& f32 = graph->nodes().front();
  const Node& bf16 = *std::next(graph->nodes().begin(), 3);
  EXPECT_DOUBLE_EQ(roofline_of(f32, kPeaks).compute, 2.0 * 8 * 8 * 8 / 1e9);
  EXPECT_DOUBLE_EQ(roofline_of(bf16, kPeaks).compute, 2.0 * 8 * 8 * 8 / 4e9);
  EXPECT_DOUBLE_EQ(roofline_of(f32, kPeaks).memory, 3.0 * 8 * 8 * 4 / 1e6);
  EXPECT_DOUBLE_EQ(roofline_of(f32, kPeaks).seconds(), 3.0 * 8 * 8 * 4 / 1e6);
  EXPECT_DOUBLE_EQ(roofline_percent({.seconds = 2.0, .least_seconds = 0.5}), 25.0);
}

TEST(ProfileReport, prints_the_longest_rows_and_the_rest_as_one) {
  ProfileTable table;
  for (int i = 9; i >= 1; --i)
    table.rows.push_back({.name = cat("op", i), .count = 1, .seconds = i * 1e-3});
  table.total = {.name = "total", .count = 9, .seconds = 45e-3};
  const std::string text = profile_text(table, GroupBy::op, 7);
  EXPECT_THAT(text, AllOf(HasSubstr("op3"), Not(HasSubstr("op2")), HasSubstr("(2 more rows)")));
  EXPECT_THAT(text, AllOf(HasSubstr(" 2   3.00    6.7 %\n"), HasSubstr("45.00  100.0 %\n")));
}

TEST(ProfileReport, without_peaks_says_nothing_of_a_roofline) {
  const auto graph = example();
  const Profile profile = profile_of(*graph);
  EXPECT_THAT(profile_report(profile, std::nullopt), Not(HasSubstr("GFLOP/s in f32")));
  EXPECT_THAT(profile_report(profile, kPeaks), HasSubstr("Roofline: 1 GFLOP/s in f32, 4 in bf16"));
  EXPECT_EQ(profile_table(profile, GroupBy::op, std::nullopt).total.least_seconds, 0.0);
}

TEST(ProfileReport, a_trace_has_every_node_inside_its_step) {
  const testing::ScratchDir scratch;
  const auto graph = example();
  const Profile profile = profile_of(*graph);
  write_trace(profile, scratch / "trace.json");
  std::ifstream file(scratch / "trace.json");
  const auto trace = nlohmann::json::parse(file);
  int nodes = 0, steps = 0;
  double step_start = 0.0, step_end = 0.0;
  for (const auto& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    const double start = event["ts"], end = start + event["dur"].get<double>();
    if (event["name"].get<std::string>().starts_with("step ")) {
      EXPECT_EQ(event["name"], cat("step ", steps++));
      step_start = start, step_end = end;
      continue;
    }
    ++nodes;
    EXPECT_GE(start, step_start);
    EXPECT_LE(end, step_end + 1e-3);
  }
  EXPECT_EQ(steps, 4);
  EXPECT_EQ(nodes, 4 * 6);
  const auto& product = trace["traceEvents"][2];
  EXPECT_EQ(product["name"], "matmul");
  EXPECT_EQ(product["args"]["scope"], "encoder/blocks.0/mlp");
  EXPECT_EQ(product["args"]["shapes"], "f32[8x8], f32[8x8] -> f32[8x8]");
  EXPECT_EQ(product["args"]["flops"], 2 * 8 * 8 * 8);
  EXPECT_EQ(product["args"]["bytes"], 3 * 8 * 8 * 4);
}

TEST(ProfileReport, a_trace_that_cannot_be_written_is_named) {
  const auto graph = example();
  EXPECT_THAT(
      testing::error_of<RunError>([&] { write_trace(profile_of(*graph), "/nowhere/trace.json"); }),
      HasSubstr("/nowhere/trace.json"));
}

}  // namespace
}  // namespace grimace
