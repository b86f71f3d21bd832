// The memory plan: nothing is overwritten while it is still to be read, and what runs in the
// planned arena equals the interpreter, which gives every value memory of its own, bit for bit.
#include "runtime/plan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "backends/backend.h"
#include "tests/runtime/plan_graphs.h"

namespace grimace {
namespace {

using testing::RandomGraph;
using testing::tiny_inputs;
using testing::tiny_training_step;

// Follows a run of the plan, remembering whose bytes are where.
class Replay {
 public:
  Replay(const Graph& graph, const MemoryPlan& plan) : graph_(graph), plan_(plan) {
    for (const Value& input : graph.inputs()) write(input);
    for (const bool stable : {true, false})
      for (const Node& node : graph.nodes())
        if (plan.stable.contains(&node) == stable) run(node);
    for (const Output& output : graph.outputs()) expect_intact(output.value, "output");
    for (const Update& update : graph.updates()) expect_intact(update.value, "update");
    expect_good_for_the_next_run();
  }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  int64_t begin(Value v) const { return plan_.offset.at(v); }
  int64_t end(Value v) const { return begin(v) + v.type().bytes(); }

  void write(Value v) {
    if (begin(v) % kAlignment != 0 || begin(v) < 0 || end(v) > plan_.arena_bytes())
      faults_.push_back(cat(v.name(), " lies outside the arena or is not aligned"));
    for (auto& [other, intact] : intact_)
      if (begin(other) < end(v) && begin(v) < end(other)) intact = false;
    intact_[v] = true;
  }
  void expect_intact(Value v, const std::string& reader) {
    if (v.type().numel() > 0 && !intact_.at(root_of(v)))
      faults_.push_back(cat(reader, " reads a value of type ", v.type(), " that was overwritten"));
  }
  void run(const Node& node) {
    if (is_view(node)) {
      if (begin(node.result()) != begin(node.input(0))) faults_.push_back("a reshape moved");
      return;
    }
    for (const Value& input : node.inputs()) expect_intact(input, node.describe());
    for (int i = 0; i < node.num_results(); ++i) expect_allowed(node, i);
    for (int i = 0; i < node.num_results(); ++i) write(node.result(i));
    for (int i = 0; i < node.num_results(); ++i) expect_intact(node.result(i), "a sibling");
  }
  // Result i may lie over an input only as its op allows.
  void expect_allowed(const Node& node, int i) {
    const Value result = node.result(i);
    for (int k = 0; k < node.num_inputs(); ++k) {
      const Value input = node.input(k);
      if (begin(input) >= end(result) || begin(result) >= end(input)) continue;
      const bool same_place = begin(input) == begin(result) && input.shape() == result.shape() &&
                              size_of(input.dtype()) == size_of(result.dtype());
      const Aliasing aliasing = node.op().aliasing;
      if (!same_place ||
          !(aliasing == Aliasing::elementwise || (aliasing == Aliasing::in_order && i == k)))
        faults_.push_back(cat(node.describe(), ": result ", i, " lies over input ", k));
    }
  }
  // What is not written every run is still there.
  void expect_good_for_the_next_run() {
    ValueMap<bool> updated;
    for (const Update& update : graph_.updates()) updated[update.target] = true;
    for (const Value& input : graph_.inputs())
      if (!updated.contains(input)) expect_intact(input, "the next run");
    for (const auto& [node, stable] : plan_.stable)
      for (int i = 0; i < node->num_results(); ++i) expect_intact(node->result(i), "the next run");
  }

  const Graph& graph_;
  const MemoryPlan& plan_;
  ValueMap<bool> intact_;
  std::vector<std::string> faults_;
};

using Inputs = std::map<std::string, Buffer>;

// Empty when `runs` runs of the executable equal the interpreter fed with its own updates.
std::string difference(const Graph& graph, Inputs inputs, int runs) {
  const auto executable = make_backend("reference")->compile(graph, {});
  for (const auto& [name, buffer] : inputs) executable->write(name, buffer.view());
  const auto differs = [&](const std::string& name, const Buffer& expected) {
    const Tensor actual = executable->read(name);
    return actual.type() != expected.type ||
           std::memcmp(actual.data(), expected.data.data(), expected.data.size()) != 0;
  };
  for (int run = 0; run < runs; ++run) {
    executable->run();
    const Interpretation expected = interpret(graph, inputs);
    for (const auto& [name, buffer] : expected.updates) inputs[name] = buffer;
    for (const auto& [name, buffer] : expected.outputs)
      if (differs(name, buffer)) return cat("output ", name, " in run ", run);
    for (const auto& [name, buffer] : inputs)
      if (differs(name, buffer)) return cat("input ", name, " after run ", run);
  }
  return {};
}

RC_GTEST_PROP(Plan, keeps_every_value_until_it_was_read, ()) {
  const RandomGraph random(*rc::gen::inRange(0, 60), *rc::gen::arbitrary<uint64_t>());
  const MemoryPlan plan = plan_memory(random.graph);
  RC_ASSERT(Replay(random.graph, plan).faults() == std::vector<std::string>{});
  RC_ASSERT(plan.transient_bytes >= plan.lower_bound_bytes);
}

RC_GTEST_PROP(Plan, runs_like_the_interpreter_bit_for_bit, ()) {
  const RandomGraph random(*rc::gen::inRange(0, 60), *rc::gen::arbitrary<uint64_t>());
  RC_ASSERT(difference(random.graph, tiny_inputs(random.graph, 5), 3) == "");
}

class PlanOfATrainingStep : public ::testing::TestWithParam<std::pair<Encoder, int>> {
 protected:
  const std::unique_ptr<Graph> graph_ = tiny_training_step(GetParam().first, GetParam().second);
  const MemoryPlan plan_ = plan_memory(*graph_);
};

TEST_P(PlanOfATrainingStep, keeps_every_value_until_it_was_read) {
  EXPECT_EQ(Replay(*graph_, plan_).faults(), std::vector<std::string>{});
}

TEST_P(PlanOfATrainingStep, is_not_far_above_the_lower_bound) {
  EXPECT_GE(plan_.transient_bytes, plan_.lower_bound_bytes);
  EXPECT_LE(static_cast<double>(plan_.transient_bytes),
            1.2 * static_cast<double>(plan_.lower_bound_bytes));
}

TEST_P(PlanOfATrainingStep, updates_everything_in_place) {
  EXPECT_TRUE(plan_.copies.empty());
  EXPECT_GE(graph_->updates().size(), 3 * graph_->inputs(Role::param).size());
  for (const Update& update : graph_->updates())
    EXPECT_EQ(plan_.offset.at(update.value), plan_.offset.at(update.target))
        << update.target.name();
}

TEST_P(PlanOfATrainingStep, runs_like_the_interpreter_bit_for_bit) {
  Inputs inputs = tiny_inputs(*graph_, 5);
  inputs.at("lr").view().as<float>()[0] = 0.01f;
  inputs.at("weight_decay").view().as<float>()[0] = 0.1f;
  for (const char* name : {"first_of_update", "last_of_update"})
    if (inputs.contains(name)) inputs.at(name).view().as<bool>()[0] = true;
  EXPECT_EQ(difference(*graph_, inputs, 3), "");
}

INSTANTIATE_TEST_SUITE_P(encoders, PlanOfATrainingStep,
                         ::testing::Values(std::pair{Encoder::local_global, 1},
                                           std::pair{Encoder::local_global, 2},
                                           std::pair{Encoder::joint, 1}));

TEST(Plan, lets_states_swap_their_values) {
  Graph graph;
  Builder b(graph);
  const TensorType type{DType::f32, {3}};
  const Value s = b.state("s", type), t = b.state("t", type), u = b.state("u", type);
  b.update(s, t);
  b.update(t, s);
  b.update(u, b.reshape(b.reshape(s, {1, 3}), {3}));
  b.output("sum", s + t);
  EXPECT_EQ(difference(graph, tiny_inputs(graph, 1), 3), "");
}

TEST(Plan, runs_what_only_params_decide_once_until_one_is_written) {
  Graph graph;
  Builder b(graph);
  const Value w = b.param("w", {2});
  const Value x = b.input("x", {DType::f32, {2}});
  const Value table = b.exp(w);
  b.output("y", x * table);
  EXPECT_TRUE(plan_memory(graph).stable.contains(table.producer()));
  const auto executable = make_backend("reference")->compile(graph, {});
  const std::vector<float> one{1.0f, 1.0f};
  executable->write("x", Tensor::from<float>({2}, one).view());
  const auto result = [&] {
    executable->run();
    const Tensor y = executable->read("y");
    return y.as<float>()[0];
  };
  EXPECT_EQ(result(), 1.0f);
  executable->write("w", Tensor::from<float>({2}, one).view());
  EXPECT_EQ(result(), std::exp(1.0f));
}

TEST(Plan, reuses_the_memory_of_values_that_died) {
  Graph graph;
  Builder b(graph);
  Value v = b.input("x", {DType::f32, {1024}});
  for (int i = 0; i < 10; ++i) v = b.reduce_sum(b.broadcast(b.exp(v), {2, 1024}), {0});
  b.output("y", v);
  const MemoryPlan plan = plan_memory(graph);
  EXPECT_EQ(plan.persistent_bytes, 4096);
  EXPECT_EQ(plan.transient_bytes, 3 * 4096);
  EXPECT_EQ(plan.lower_bound_bytes, 3 * 4096);
}

// More values than are compared with each other: they are placed as they come.
TEST(Plan, keeps_very_many_values_apart) {
  Graph graph;
  Builder b(graph);
  std::vector<Value> recent{b.input("x", {DType::f32, {16, 16}})};
  PhiloxStream random(1, stream_id("values"));
  for (int i = 0; i < 12'000; ++i) {
    const Value v = recent[random.below(recent.size())];
    const auto rows = static_cast<int64_t>(1 + random.below(static_cast<size_t>(v.dim(0))));
    recent.push_back(random.coin() ? b.transpose(v, {1, 0})
                                   : b.concat({b.slice(v, 0, 0, rows), v}, 0));
    if (recent.back().type().numel() > 1000)
      recent.back() = b.softmax(b.slice(b.slice(recent.back(), 0, 0, 7), 1, 0, 7));
    if (recent.size() > 40) recent.erase(recent.begin());
  }
  b.output("y", recent.back());
  const MemoryPlan plan = plan_memory(graph);
  EXPECT_LE(plan.transient_bytes, 3 * plan.lower_bound_bytes);
  std::unordered_map<const Node*, int> at;
  for (const Node& node : graph.nodes()) at.emplace(&node, static_cast<int>(at.size()));
  struct Life {
    int64_t begin, end;
    int last;
  };
  std::vector<Life> alive;
  for (const Node& node : graph.nodes()) {
    const Value v = node.result();
    std::erase_if(alive, [&](const Life& life) { return life.last < at[&node]; });
    int last = v.is_output() ? std::numeric_limits<int>::max() : at[&node];
    for (const Node* user : v.users()) last = std::max(last, at[user]);
    const Life life{plan.offset.at(v), plan.offset.at(v) + v.type().bytes(), last};
    const bool may_overwrite = node.op().aliasing == Aliasing::elementwise;
    for (const Life& other : alive)
      ASSERT_TRUE(other.end <= life.begin || life.end <= other.begin ||
                  (may_overwrite && other.last == at[&node] && other.begin == life.begin))
          << node.describe();
    alive.push_back(life);
  }
}

TEST(Plan, refuses_values_whose_sizes_cannot_be_added_up) {
  Graph graph("vast");
  Builder b(graph);
  for (int i = 0; i <= 1 << 18; ++i) b.input(cat("x", i), {DType::f32, {kMaxElements}});
  try {
    plan_memory(graph);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "graph 'vast': its values take more than 2^60 bytes together; use a smaller batch "
                 "or smaller shapes");
  }
}

}  // namespace
}  // namespace grimace
