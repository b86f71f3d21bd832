#include "tests/op_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/passes/passes.h"
#include "ir/philox.h"
#include "runtime/tensor.h"

namespace grimace::testing {
namespace {

bool is_16_bit(DType dtype) {
  return dtype == DType::bf16 || dtype == DType::f16;
}

// Exactly `ones` ones in each row of the last axis, in random places.
void draw_mask(PhiloxStream& random, int64_t ones, int64_t row_length,
               std::vector<double>& values) {
  for (auto row = values.begin(); row != values.end(); row += row_length) {
    std::fill(row, row + ones, 1.0);
    for (int64_t i = row_length - 1; i > 0; --i)
      std::swap(row[i], row[static_cast<int64_t>(random.below(static_cast<uint64_t>(i) + 1))]);
  }
}

double draw(PhiloxStream& random, const InputSpec& spec) {
  if (spec.type.dtype == DType::boolean) return random.coin() ? 1.0 : 0.0;
  const double value = random.uniform(spec.low, spec.high);
  return is_float(spec.type.dtype) ? static_cast<float>(value) : std::floor(value);
}

}  // namespace

std::string OpCase::name() const {
  std::string out(op->name);
  out += "(";
  for (const InputSpec& input : inputs)
    out += (out.back() == '(' ? "" : ", ") + to_string(input.type);
  out += ")";
  for (size_t i = 0; i < attrs.size(); ++i)
    out += cat(i == 0 ? " {" : ", ", attrs[i].name, "=", to_text(attrs[i].value),
               i + 1 == attrs.size() ? "}" : "");
  return out;
}

bool OpCase::has_16_bit() const {
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const InputSpec& input) { return is_16_bit(input.type.dtype); }) ||
         std::any_of(attrs.begin(), attrs.end(), [](const NamedAttr& attr) {
           const DType* dtype = std::get_if<DType>(&attr.value);
           return dtype != nullptr && is_16_bit(*dtype);
         });
}

std::unique_ptr<Graph> build(const OpCase& op_case, DType real) {
  auto graph = std::make_unique<Graph>("op_case");
  std::vector<Value> inputs;
  for (const InputSpec& input : op_case.inputs)
    inputs.push_back(graph->add_input(Role::input, cat("in", inputs.size()), input.type));
  const Node& node = graph->add_node(*op_case.op, inputs, op_case.attrs);
  for (int i = 0; i < node.num_results(); ++i) graph->add_output(cat("out", i), node.result(i));
  if (!op_case.has_16_bit()) convert_floats(*graph, real);
  return graph;
}

Buffer random_input(const InputSpec& spec, uint64_t seed, DType real) {
  PhiloxStream random(seed, stream_id("op_case"));
  std::vector<double> values(static_cast<size_t>(spec.type.numel()));
  if (spec.ones >= 0)
    draw_mask(random, spec.ones, spec.type.shape[-1], values);
  else
    for (double& value : values) value = draw(random, spec);
  Buffer result({spec.type.dtype == DType::f32 ? real : spec.type.dtype, spec.type.shape});
  convert(ConstView({DType::f64, spec.type.shape}, values.data()), result.view());
  return result;
}

std::map<std::string, Buffer> random_inputs(const OpCase& op_case, uint64_t seed, DType real) {
  std::map<std::string, Buffer> result;
  for (const InputSpec& spec : op_case.inputs)
    result[cat("in", result.size())] =
        random_input(spec, seed * 100 + result.size(), op_case.has_16_bit() ? DType::f32 : real);
  return result;
}

std::map<std::string, Buffer> random_inputs(const Graph& graph, uint64_t seed) {
  std::map<std::string, Buffer> result;
  for (const Value& input : graph.inputs())
    if (!input.is(Role::constant))
      result[input.name()] =
          is_float(input.dtype())
              ? random_input({input.type(), -1.0, 1.0}, seed * 1000 + result.size())
              : random_input({input.type(), 0.0, 2.0}, seed * 1000 + result.size());
  return result;
}

std::vector<double> numbers_of(ConstView view) {
  std::vector<double> result(static_cast<size_t>(view.type.numel()));
  convert(view, View{{DType::f64, view.type.shape}, result.data()});
  return result;
}

double relative_max_error(ConstView expected, ConstView actual) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (expected.type.shape != actual.type.shape) return kInfinity;
  const std::vector<double> want = numbers_of(expected);
  const std::vector<double> have = numbers_of(actual);
  double largest = 0.0;
  double error = 0.0;
  for (size_t i = 0; i < want.size(); ++i) {
    if (want[i] == have[i] || (std::isnan(want[i]) && std::isnan(have[i]))) continue;
    if (!std::isfinite(want[i]) || !std::isfinite(have[i])) return kInfinity;
    error = std::max(error, std::abs(want[i] - have[i]));
  }
  if (error == 0.0) return 0.0;
  for (const double value : want)
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  return error / largest;
}

}  // namespace grimace::testing
