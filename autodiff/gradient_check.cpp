#include "autodiff/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>

#include "autodiff/gradients.h"
#include "ir/philox.h"

namespace grimace {
namespace {

using Inputs = std::map<std::string, Buffer>;

constexpr double kStep = 1e-4;
constexpr double kSmall = 1e-3;

// sum_outputs sum_i output_i r_i with fixed random r in [-1, 1): its gradient sees every element.
Value random_projection(Builder& b) {
  PhiloxStream random(1, stream_id("gradient_check"));
  Value loss = b.full(0.0, {}, DType::f64);
  for (const Output& output : std::vector<Output>(b.graph().outputs())) {
    if (output.value.dtype() != DType::f64) continue;
    std::vector<double> weights(static_cast<size_t>(output.value.type().numel()));
    for (double& weight : weights) weight = random.uniform(-1.0, 1.0);
    const Value r = b.graph().add_constant("projection." + output.name, output.value.type(),
                                           std::as_bytes(std::span(weights)));
    std::vector<int64_t> axes(static_cast<size_t>(r.shape().rank()));
    std::iota(axes.begin(), axes.end(), 0);
    loss = loss + b.reduce_sum(output.value * r, axes);
  }
  return loss;
}

double loss_of(const Graph& graph, const Inputs& inputs) {
  return interpret(graph, inputs).outputs.at("loss").view().as<double>()[0];
}

double five_point_difference(const Graph& graph, Inputs& inputs, double& x) {
  const double at = x;
  const auto loss_at = [&](double step) {
    x = at + step;
    return loss_of(graph, inputs);
  };
  const double near = loss_at(kStep) - loss_at(-kStep);
  const double far = loss_at(2 * kStep) - loss_at(-2 * kStep);
  x = at;
  return (8.0 * near - far) / (12.0 * kStep);
}

std::vector<int64_t> chosen_elements(int64_t count, int64_t most) {
  std::vector<int64_t> elements(static_cast<size_t>(count));
  std::iota(elements.begin(), elements.end(), 0);
  PhiloxStream random(2, stream_id("gradient_check"));
  for (size_t i = elements.size(); i > 1; --i)
    std::swap(elements[i - 1], elements[random.below(i)]);
  elements.resize(static_cast<size_t>(std::min(count, most)));
  return elements;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const GradientError& worst) {
  return out << "gradient of " << worst.target << " at element " << worst.element << ": built "
             << worst.built << ", numeric " << worst.numeric << ", error " << worst.error;
}

GradientError check_gradients(const Graph& graph, const Inputs& inputs,
                              const std::vector<std::string>& targets, int64_t max_elements) {
  const auto forward = graph.clone();
  Builder forward_builder(*forward);
  const Value loss = random_projection(forward_builder);
  forward->clear_outputs();
  forward->add_output("loss", loss);

  const auto backward = forward->clone();
  Builder b(*backward);
  std::vector<Value> values;
  for (const std::string& name : targets) {
    values.push_back(backward->find_input(name));
    check(values.back() && values.back().dtype() == DType::f64, "check_gradients: '", name,
          "' is not an f64 input of the graph");
  }
  const std::vector<Value> built = gradients(b, backward->find_output("loss"), values);
  for (size_t i = 0; i < targets.size(); ++i) b.output("grad." + targets[i], built[i]);
  const Interpretation result = interpret(*backward, inputs);

  GradientError worst;
  Inputs moved = inputs;
  for (const std::string& name : targets) {
    const auto gradient = result.outputs.at("grad." + name).view().as<double>();
    const auto x = moved.at(name).view().as<double>();
    for (const int64_t i : chosen_elements(static_cast<int64_t>(x.size()), max_elements)) {
      const auto at = static_cast<size_t>(i);
      const double numeric = five_point_difference(*forward, moved, x[at]);
      const double scale = std::max({std::abs(numeric), std::abs(gradient[at]), kSmall});
      const double error = std::abs(numeric - gradient[at]) / scale;
      ++worst.compared;
      // A NaN on either side is an error like any other.
      if (!(error <= worst.error)) worst = {error, name, i, gradient[at], numeric, worst.compared};
    }
  }
  return worst;
}

}  // namespace grimace
