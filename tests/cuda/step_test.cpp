// Whole training steps on the cuda backend: the same curve as on the cpu, replays that agree bit
// for bit, results that are read late, inputs that queue up, and errors that say what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "backends/cuda/cuda_backend.h"
#include "ir/builder.h"
#include "ir/op_def.h"
#include "tests/testing.h"
#include "tests/tiny_recipe.h"
#include "tools/random_step.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kPretrain = testing::tiny_recipe();
const std::string kFinetune = R"(
[model]
name = "mae-dfer-classifier"
image = 32
frames = 4
patch = 8
embed_dim = 32
heads = 2
encoder_depth = 2
region = [2, 2, 4]
classes = 5
drop_path = 0.2
[optim]
batch_size = 2
)";

class CudaStep : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = backend_->unavailable(); !why.empty()) GTEST_SKIP() << why;
  }

  std::unique_ptr<Executable> ready(Backend& backend, const std::string& toml,
                                    Precision precision) const {
    const Recipe recipe = recipe_from_toml(toml, "recipe");
    auto step = backend.compile(*training_graph(recipe), {.precision = precision, .threads = 1});
    write_random_step(*step, recipe);
    return step;
  }

  static std::vector<double> curve(Executable& step, int steps) {
    std::vector<double> losses;
    for (int i = 0; i < steps; ++i) {
      const double learning_rate = 1e-3;
      step.write("lr", {{DType::f64, {}}, &learning_rate});
      step.run();
      losses.push_back(step.read_scalar("loss"));
    }
    return losses;
  }

  std::unique_ptr<Backend> backend_ = cuda::make_cuda_backend();
};

TEST_F(CudaStep, trains_as_the_reference_does) {
  for (const std::string& toml : {kPretrain, kFinetune}) {
    const auto ours = ready(*backend_, toml, Precision::f32);
    const auto theirs = ready(*make_backend("reference"), toml, Precision::f32);
    const std::vector<double> got = curve(*ours, 8);
    const std::vector<double> wanted = curve(*theirs, 8);
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i] / wanted[i], 1.0, 1e-4) << "step " << i;
    // Even targets leave a classifier nothing to learn.
    if (toml == kPretrain) {
      EXPECT_LT(got.back(), 0.99 * got.front());
    }
  }
}

TEST_F(CudaStep, in_bf16_follows_f32) {
  for (const std::string& toml : {kPretrain, kFinetune}) {
    const std::vector<double> wide = curve(*ready(*backend_, toml, Precision::f32), 8);
    const std::vector<double> narrow = curve(*ready(*backend_, toml, Precision::bf16), 8);
    for (size_t i = 0; i < wide.size(); ++i) EXPECT_NEAR(narrow[i] / wide[i], 1.0, 1e-2) << i;
  }
}

TEST_F(CudaStep, repeats_bit_for_bit) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const auto first = ready(*backend_, kPretrain, precision);
    const auto second = ready(*backend_, kPretrain, precision);
    EXPECT_EQ(curve(*first, 5), curve(*second, 5));
    for (const Value& param : first->graph().inputs(Role::param)) {
      const Tensor a = first->read(param.name());
      const Tensor b = second->read(param.name());
      EXPECT_TRUE(std::equal(a.data(), a.data() + a.bytes(), b.data())) << param.name();
    }
  }
}

TEST_F(CudaStep, is_the_same_whether_every_kernel_is_waited_for_or_none) {
  const std::vector<double> replayed = curve(*ready(*backend_, kPretrain, Precision::f32), 3);
  setenv("GRIMACE_CUDA_CHECK", "1", 1);
  const std::vector<double> waited = curve(*ready(*backend_, kPretrain, Precision::f32), 3);
  unsetenv("GRIMACE_CUDA_CHECK");
  EXPECT_EQ(replayed, waited);
}

TEST_F(CudaStep, gives_its_results_while_the_next_one_runs) {
  const auto step = ready(*backend_, kPretrain, Precision::f32);
  const std::vector<double> wanted = curve(*ready(*backend_, kPretrain, Precision::f32), 4);
  const double learning_rate = 1e-3;
  std::function<double()> before;
  for (size_t i = 0; i < wanted.size(); ++i) {
    step->write("lr", {{DType::f64, {}}, &learning_rate});
    step->run();
    if (before) {
      EXPECT_EQ(before(), wanted[i - 1]);
    }
    before = step->read_later("loss");
  }
  EXPECT_EQ(before(), wanted.back());
}

TEST_F(CudaStep, profiles_every_node) {
  const auto step = ready(*backend_, kPretrain, Precision::f32);
  Profile profile(0, 2);
  step->profile_into(&profile);
  const std::vector<double> profiled = curve(*step, 3);
  EXPECT_EQ(profiled, curve(*ready(*backend_, kPretrain, Precision::f32), 3));
  ASSERT_EQ(profile.runs().size(), 2u);
  EXPECT_GT(profile.runs()[0].events.size(), 100u);
}

TEST_F(CudaStep, new_inputs_reach_the_run_they_were_written_for) {
  Graph graph("sums");
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {1000}});
  b.output("sum", b.reduce_sum(x, {0}));
  const auto run = backend_->compile(graph, {});
  std::function<double()> before;
  for (int i = 0; i < 6; ++i) {
    Tensor values(DType::f32, {1000});
    std::ranges::fill(values.as<float>(), static_cast<float>(i));
    run->write("x", values.view());
    if (i % 2 == 1) run->write("x", values.view());  // twice: the second counts
    run->run();
    if (before) {
      EXPECT_EQ(before(), 1000.0 * (i - 1));
    }
    before = run->read_later("sum");
  }
  EXPECT_EQ(before(), 5000.0);
}

TEST_F(CudaStep, bad_data_ends_the_run_with_the_nodes_name) {
  const auto step = ready(*backend_, kPretrain, Precision::f32);
  const Tensor nothing_masked(DType::u8, step->graph().find_input("mask").shape());
  step->write("mask", nothing_masked.view());
  step->run();
  EXPECT_THAT(testing::error_of<RunError>([&] { step->read_scalar("loss"); }),
              HasSubstr("mask_indices"));
}

TEST_F(CudaStep, refuses_what_it_cannot_do) {
  Graph graph("nothing");
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4}});
  b.output("y", b.emit(op_neg, {x}));
  const auto refusal = [&](const CompileOptions& options) {
    return testing::error_of([&] { backend_->compile(graph, options); });
  };
  EXPECT_THAT(refusal({.device = 99}), HasSubstr("there is no device 99"));
  EXPECT_EQ(refusal({.precision = Precision::f64}),
            "the cuda backend computes in f32, tf32 or bf16; precision f64 needs --backend "
            "reference");
}

TEST_F(CudaStep, a_plan_too_large_says_what_would_fit) {
  Graph graph("large");
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {int64_t{1} << 20, int64_t{1} << 20}});
  b.output("y", b.emit(op_neg, {x}));
  EXPECT_THAT(testing::error_of([&] { backend_->compile(graph, {}); }),
              AllOf(HasSubstr("a batch of about "), HasSubstr(" instead of 1048576 would fit")));
}

}  // namespace
}  // namespace grimace
