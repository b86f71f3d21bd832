// What a profile records of the runs of an executable.
#include "runtime/profile.h"

#include <gmock/gmock.h>

#include "backends/backend.h"
#include "ir/builder.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// y = relu-like chain with a reshape, which never runs, and two states that swap, so that one of
// their updates needs a copy.
std::unique_ptr<Graph> example() {
  auto graph = std::make_unique<Graph>("example");
  Builder b(*graph);
  const Value x = b.input("x", {DType::f32, {4, 6}});
  b.output("y", b.reshape(b.gelu(x) + x, {24}));
  const Value left = graph->add_input(Role::state, "left", {DType::f32, {3}});
  const Value right = graph->add_input(Role::state, "right", {DType::f32, {3}});
  graph->add_update(left, b.neg(right));
  graph->add_update(right, b.neg(left));
  return graph;
}

std::unique_ptr<Executable> compiled() {
  return make_backend("reference")->compile(*example(), {});
}

std::vector<std::string> names(const Profile::Run& run) {
  std::vector<std::string> result;
  for (const Profile::Event& event : run.events)
    result.emplace_back(event.node != nullptr ? event.node->op_name() : "copies");
  return result;
}

TEST(Profile, has_an_event_for_every_node_that_runs_in_order) {
  const auto executable = compiled();
  Profile profile(0, 2);
  executable->profile_into(&profile);
  executable->run();
  executable->run();
  ASSERT_THAT(profile.runs(), SizeIs(2));
  for (const Profile::Run& run : profile.runs())
    EXPECT_THAT(names(run), ElementsAre("gelu", "add", "neg", "neg", "copies"));
}

TEST(Profile, times_follow_each_other_within_their_run) {
  const auto executable = compiled();
  Profile profile(0, 3);
  executable->profile_into(&profile);
  for (int i = 0; i < 3; ++i) executable->run();
  double last = 0.0;
  const auto next = [&](double time) {
    EXPECT_GE(time, last);
    last = time;
  };
  for (const Profile::Run& run : profile.runs()) {
    next(run.start);
    for (const Profile::Event& event : run.events) {
      next(event.start);
      EXPECT_GT(event.end, event.start);
      next(event.end);
    }
    next(run.end);
  }
}

TEST(Profile, skips_records_and_then_says_once_that_it_is_complete) {
  const auto executable = compiled();
  int calls = 0;
  int runs = 0;
  Profile profile(2, 3, [&](const Profile& done) {
    ++calls;
    EXPECT_EQ(runs, 5);
    EXPECT_THAT(done.runs(), SizeIs(3));
  });
  executable->profile_into(&profile);
  while (++runs <= 8) {
    executable->run();
    EXPECT_EQ(profile.complete(), runs >= 5) << runs;
  }
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(profile.runs(), SizeIs(3));
}

TEST(Profile, is_left_alone_when_it_is_taken_off) {
  const auto executable = compiled();
  Profile profile(0, 10);
  executable->profile_into(&profile);
  executable->profile_into(nullptr);
  executable->run();
  EXPECT_THAT(profile.runs(), IsEmpty());
}

TEST(Profile, does_not_change_what_is_computed) {
  const auto values = [](Profile* profile) {
    const auto executable = compiled();
    Tensor x(DType::f32, {4, 6}), states(DType::f32, {3});
    for (size_t i = 0; i < 24; ++i) x.as<float>()[i] = static_cast<float>(i) - 12.0f;
    for (size_t i = 0; i < 3; ++i) states.as<float>()[i] = static_cast<float>(i);
    executable->write("x", x.view());
    executable->write("left", states.view());
    executable->profile_into(profile);
    executable->run();
    std::vector<float> all;
    for (const char* name : {"y", "left", "right"}) {
      const Tensor tensor = executable->read(name);
      all.insert(all.end(), tensor.as<float>().begin(), tensor.as<float>().end());
    }
    return all;
  };
  Profile profile(0, 1);
  EXPECT_EQ(values(&profile), values(nullptr));
  EXPECT_TRUE(profile.complete());
}

// The third kernel that is run fails.
class FailsOnce : public KernelFactory {
 public:
  Kernel make(const Node&, const Operands&) override {
    return [this] {
      if (++calls_ == 3) throw RunError("as told");
    };
  }

 private:
  int calls_ = 0;
};

TEST(Profile, leaves_out_a_run_that_failed) {
  const auto executable = make_host_executable(example(), std::make_unique<FailsOnce>(), {}, 0);
  Profile profile(0, 1);
  executable->profile_into(&profile);
  EXPECT_THROW(executable->run(), RunError);
  EXPECT_THAT(profile.runs(), IsEmpty());
  executable->run();
  ASSERT_TRUE(profile.complete());
  EXPECT_THAT(profile.runs()[0].events, SizeIs(5));
}

}  // namespace
}  // namespace grimace
