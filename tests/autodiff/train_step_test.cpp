// The training step as the trainer runs it: a least-squares model on the reference backend.
#include "autodiff/train_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/backend.h"
#include "ir/philox.h"
#include "tests/testing.h"

namespace grimace {
namespace {

constexpr int64_t kFeatures = 3;
constexpr int64_t kTargets = 2;

// mean (x W^T + b - y)^2, trained.
std::unique_ptr<Executable> least_squares(int64_t batch, const TrainStepOptions& options,
                                          Precision precision = Precision::f64) {
  Graph graph("least_squares");
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {batch, kFeatures}});
  const Value y = b.input("y", {DType::f32, {batch, kTargets}});
  const Value error =
      b.linear(x, b.param("weight", {kTargets, kFeatures}), b.param("bias", {kTargets})) - y;
  const Value loss = b.reduce_mean(error * error, {0, 1});
  add_train_step(b, loss, {{"weight", {}}, {"bias", {.decay = false}}}, options);
  return make_backend("reference")->compile(graph, {.precision = precision});
}

Tensor scalar(double value) {
  return Tensor::from<double>({}, std::span(&value, 1));
}

// y = x W^T + b for one W and b, so that the loss can reach zero.
struct Batch {
  Tensor x, y;
};
Batch draw_batch(int64_t size, uint64_t seed) {
  PhiloxStream random(seed, stream_id("batch"));
  Batch batch{Tensor(DType::f64, {size, kFeatures}), Tensor(DType::f64, {size, kTargets})};
  for (double& value : batch.x.as<double>()) value = random.uniform(-1.0, 1.0);
  for (int64_t row = 0; row < size; ++row) {
    const double* x = batch.x.as<double>().data() + row * kFeatures;
    double* y = batch.y.as<double>().data() + row * kTargets;
    y[0] = x[0] - 2.0 * x[1] + 0.5;
    y[1] = 0.5 * x[2] - 1.0;
  }
  return batch;
}

Tensor rows_of(const Tensor& tensor, int64_t begin, int64_t end) {
  const int64_t width = tensor.shape()[1];
  return Tensor::from<double>(
      {end - begin, width},
      tensor.as<double>().subspan(static_cast<size_t>(begin * width),
                                  static_cast<size_t>((end - begin) * width)));
}

void set_rates(Executable& step, double lr, double weight_decay) {
  step.write("lr", scalar(lr).view());
  step.write("weight_decay", scalar(weight_decay).view());
}

void run(Executable& step, const Tensor& x, const Tensor& y) {
  step.write("x", x.view());
  step.write("y", y.view());
  step.run();
}

// Every param and state, as bytes.
std::map<std::string, std::string> trained_state(const Executable& step) {
  std::map<std::string, std::string> result;
  for (const Role role : {Role::param, Role::state})
    for (const Value& input : step.graph().inputs(role)) {
      const Tensor value = step.read(input.name());
      result[input.name()] = {reinterpret_cast<const char*>(value.data()),
                              static_cast<size_t>(value.bytes())};
    }
  return result;
}

// Element `i` of an output, param or state; true is 1.
double number(const Executable& step, const std::string& name, size_t i = 0) {
  const Tensor value = step.read(name).cast(DType::f64);
  return value.as<double>()[i];
}

TEST(TrainStep, learns_a_linear_function) {
  for (const Precision precision : {Precision::f64, Precision::f32}) {
    const auto step = least_squares(8, {}, precision);
    set_rates(*step, 0.05, 0.0);
    double first = 0.0;
    for (uint64_t i = 0; i < 400; ++i) {
      const Batch batch = draw_batch(8, i);
      run(*step, batch.x, batch.y);
      if (i == 0) first = number(*step, "loss");
      EXPECT_TRUE(number(*step, "applied"));
    }
    EXPECT_GT(first, 0.5);
    EXPECT_LT(number(*step, "loss"), 1e-3);
    EXPECT_NEAR(number(*step, "weight", 1), -2.0, 0.05);
    EXPECT_EQ(number(*step, "step"), 400);
  }
}

// From zeros, so that a wrong moment or decay cannot hide: two steps, then everything that is kept.
TEST(TrainStep, does_adamw_as_written_down) {
  const auto step = least_squares(4, {.beta1 = 0.8, .beta2 = 0.9, .eps = 1e-3});
  const std::vector<double> start{1, 2, 3, 4, 5, 6};
  step->write("weight", Tensor::from<double>({kTargets, kFeatures}, start).view());
  set_rates(*step, 0.1, 0.5);
  double p = 1.0, m = 0.0, v = 0.0;
  std::vector<double> weight = start, bias{0, 0};
  for (int t = 1; t <= 2; ++t) {
    const Batch batch = draw_batch(4, static_cast<uint64_t>(t));
    // d loss / d W[0][0] = mean over 8 errors of 2 error x.
    double grad = 0.0;
    for (size_t row = 0; row < 4; ++row) {
      const double* x = batch.x.as<double>().data() + row * kFeatures;
      const double out = weight[0] * x[0] + weight[1] * x[1] + weight[2] * x[2] + bias[0];
      grad += 2.0 * (out - batch.y.as<double>()[row * kTargets]) * x[0] / 8.0;
    }
    m = 0.8 * m + 0.2 * grad;
    v = 0.9 * v + 0.1 * grad * grad;
    p = p - 0.1 * 0.5 * p -
        0.1 * (m / (1 - std::pow(0.8, t))) / (std::sqrt(v / (1 - std::pow(0.9, t))) + 1e-3);
    run(*step, batch.x, batch.y);
    const Tensor w = step->read("weight"), b = step->read("bias");
    EXPECT_NEAR(number(*step, "weight"), p, 1e-12);
    EXPECT_NEAR(number(*step, "exp_avg.weight"), m, 1e-12);
    EXPECT_NEAR(number(*step, "exp_avg_sq.weight"), v, 1e-12);
    weight.assign(w.as<double>().begin(), w.as<double>().end());
    bias.assign(b.as<double>().begin(), b.as<double>().end());
  }
}

TEST(TrainStep, decays_only_what_its_rule_says) {
  const auto step = least_squares(2, {});
  const std::vector<double> ones(6, 1.0);
  step->write("weight", Tensor::from<double>({kTargets, kFeatures}, ones).view());
  step->write("bias", Tensor::from<double>({kTargets}, std::span(ones).first(2)).view());
  set_rates(*step, 0.1, 0.5);
  // With x = 0 and y = bias every gradient is zero: only decay moves anything.
  run(*step, Tensor(DType::f64, {2, kFeatures}),
      Tensor::from<double>({2, kTargets}, std::span(ones).first(4)));
  EXPECT_EQ(number(*step, "grad_norm"), 0.0);
  EXPECT_NEAR(number(*step, "weight"), 0.95, 1e-15);
  EXPECT_EQ(number(*step, "bias"), 1.0);
}

TEST(TrainStep, of_two_half_batches_equals_one_of_the_whole) {
  const auto whole = least_squares(8, {});
  const auto halves = least_squares(4, {.accumulate = 2});
  for (Executable* step : {whole.get(), halves.get()}) set_rates(*step, 0.05, 0.1);
  const auto flag = [](bool value) { return Tensor::from<bool>({}, std::span(&value, 1)); };
  for (uint64_t i = 0; i < 3; ++i) {
    const Batch batch = draw_batch(8, i);
    run(*whole, batch.x, batch.y);
    for (const bool second : {false, true}) {
      halves->write("first_of_update", flag(!second).view());
      halves->write("last_of_update", flag(second).view());
      const auto before = trained_state(*halves);
      const int64_t begin = second ? 4 : 0;
      run(*halves, rows_of(batch.x, begin, begin + 4), rows_of(batch.y, begin, begin + 4));
      if (!second) {
        EXPECT_EQ(trained_state(*halves)["weight"], before.at("weight"));
      }
    }
    EXPECT_NEAR(number(*halves, "grad_norm"), number(*whole, "grad_norm"), 1e-10);
    EXPECT_EQ(number(*halves, "step"), number(*whole, "step"));
    for (const char* name : {"weight", "bias", "exp_avg.weight", "exp_avg_sq.bias"})
      for (size_t k = 0; k < 2; ++k)
        EXPECT_NEAR(number(*halves, name, k), number(*whole, name, k), 1e-10) << name << i;
  }
}

TEST(TrainStep, clips_gradients_longer_than_the_limit) {
  const Batch batch = draw_batch(8, 1);
  const auto moment_and_norm = [&](std::optional<double> clip) {
    const auto step = least_squares(8, {.clip_grad = clip});
    set_rates(*step, 0.0, 0.0);
    run(*step, batch.x, batch.y);
    // m = (1 - beta1) * gradient after the first step.
    return std::pair{number(*step, "exp_avg.weight"), number(*step, "grad_norm")};
  };
  const auto [free, norm] = moment_and_norm(std::nullopt);
  ASSERT_GT(norm, 0.5);
  const auto [clipped, norm_before] = moment_and_norm(0.5);
  EXPECT_EQ(norm_before, norm) << "grad_norm is measured before clipping";
  EXPECT_NEAR(clipped, free * 0.5 / (norm + 1e-6), 1e-15);
  EXPECT_EQ(moment_and_norm(norm * 2).first, free);
}

TEST(TrainStep, skips_a_batch_that_is_not_finite_and_goes_on) {
  for (const int accumulate : {1, 2}) {
    const auto step = least_squares(8, {.clip_grad = 1.0, .accumulate = accumulate});
    set_rates(*step, 0.05, 0.1);
    if (accumulate > 1)
      for (const char* name : {"first_of_update", "last_of_update"}) {
        const bool yes = true;
        step->write(name, Tensor::from<bool>({}, std::span(&yes, 1)).view());
      }
    const Batch good = draw_batch(8, 1);
    run(*step, good.x, good.y);
    auto before = trained_state(*step);
    for (const double poison :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      Batch bad = good;
      bad.x.as<double>()[5] = poison;
      run(*step, bad.x, bad.y);
      EXPECT_FALSE(number(*step, "applied"));
      auto after = trained_state(*step);
      for (const auto& [name, bytes] : before)
        EXPECT_TRUE(after[name] == bytes || name.starts_with("accumulated.")) << name;
    }
    run(*step, good.x, good.y);
    EXPECT_TRUE(number(*step, "applied"));
    EXPECT_EQ(number(*step, "step"), 2);
    EXPECT_NE(trained_state(*step)["weight"], before["weight"]);
    EXPECT_TRUE(std::isfinite(number(*step, "loss")));
  }
}

TEST(TrainStep, averages_the_parameters_after_each_update_and_not_after_a_skipped_one) {
  const auto step = least_squares(8, {.ema_decay = 0.9});
  set_rates(*step, 0.05, 0.1);
  double average = 0.25;
  step->write("ema.weight",
              Tensor::from<double>({kTargets, kFeatures}, std::vector<double>(6, average)).view());
  for (uint64_t i = 0; i < 3; ++i) {
    const Batch batch = draw_batch(8, i);
    run(*step, batch.x, batch.y);
    average = 0.9 * average + 0.1 * number(*step, "weight");
    EXPECT_NEAR(number(*step, "ema.weight"), average, 1e-15);
  }
  Batch bad = draw_batch(8, 4);
  bad.x.as<double>()[0] = std::numeric_limits<double>::infinity();
  run(*step, bad.x, bad.y);
  EXPECT_NEAR(number(*step, "ema.weight"), average, 1e-15);
}

std::string error_of_rules(const std::map<std::string, ParamRule>& rules, bool with_param) {
  Graph graph;
  Builder b(graph);
  const Value p = with_param ? b.param("p", {2}) : b.input("p", {DType::f32, {2}});
  return testing::error_of([&] { add_train_step(b, b.reduce_sum(p, {0}), rules, {}); });
}

TEST(TrainStep, wants_parameters_and_a_rule_for_each) {
  EXPECT_EQ(error_of_rules({}, false), "a training step needs parameters; the graph has none");
  EXPECT_EQ(error_of_rules({{"q", {}}}, true), "no training rule for parameter 'p'");
}

}  // namespace
}  // namespace grimace
