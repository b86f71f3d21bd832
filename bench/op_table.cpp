// Which operations of the step become rows, what is written to their inputs, and how far results
// may be off.
#include "bench/op_table.h"

#include <algorithm>
#include <map>

#include "ir/op_def.h"
#include "tools/peaks.h"
#include "tools/recipe_model.h"

namespace grimace::bench {
namespace {

using testing::InputSpec;
using testing::OpCase;
using testing::Tolerance;

constexpr Tolerance kExact{0.0, "elements are moved, or rounded once to a coarser type"};
constexpr Tolerance kSum{2e-5, "f32 sums of up to 10^7 terms, in another order than the reference"};
constexpr Tolerance kNarrow{8e-3, "neighbours in bf16 are up to 1/128 apart"};

// What an operation weighs: these peaks, of two cores with AVX-512, give the same rows everywhere.
constexpr Peaks kPeaks{.f32_flops = 205e9, .bf16_flops = 400e9, .bytes = 26e9};
constexpr double kLeastShare = 0.001;  // small operations take several times what peaks allow
constexpr int64_t kLeastBytes = 1024;  // less is a scalar or so

// "{bias=true,epilogue=add}": attributes that are not at their defaults.
std::string attrs_text(const Node& node) {
  std::string text;
  for (size_t i = 0; i < node.attrs().size(); ++i) {
    const AttrSpec& spec = node.op().attrs[i];
    const std::string value = to_text(node.attrs()[i]);
    if (spec.fallback.empty() || value != to_text(attr_from_text(spec.kind, spec.fallback)))
      text += cat(text.empty() ? "{" : ",", spec.name, "=", value);
  }
  return text.empty() ? "" : text + "}";
}

std::string name_of(const Node& node) {
  std::string shapes = to_string(node.in(0).shape);
  if (node.num_inputs() > 1) shapes += "," + to_string(node.in(1).shape);
  return cat("op/", node.op_name(), attrs_text(node), "/", shapes, "/", node.in(0).dtype);
}

// Floats of either sign, but of AdamW's numbers only the parameter and its mean; pixels, rows of
// 800 tokens, steps.
InputSpec input_of(const Node& node, int i) {
  InputSpec spec{node.in(i), -1.0, 1.0};
  const auto within = [&](double low, double high) { spec.low = low, spec.high = high; };
  if (node.is(op_adamw) && i >= 2) within(0.01, 1.0);
  if (spec.type.dtype == DType::u8) within(0, 256);
  if (spec.type.dtype == DType::i32) within(0, 800);
  if (spec.type.dtype == DType::i64) within(1, 9);
  if (!node.is(op_mask_indices)) return spec;
  const int64_t count = node.integer("count");
  spec.ones = node.integer("value") == 1 ? count : spec.type.shape[-1] - count;
  return spec;
}

// What the tests want exact is exact in any shape.
Tolerance tolerance_of(const Node& node) {
  if (std::ranges::find(testing::op_cases(), &node.op(), &OpCase::op)->tolerance.value == 0.0)
    return kExact;
  return node.out().dtype == DType::bf16 ? kNarrow : kSum;
}

OpCase case_of(const Node& node) {
  OpCase result{&node.op(), {}, {}, tolerance_of(node)};
  for (int i = 0; i < node.num_inputs(); ++i) result.inputs.push_back(input_of(node, i));
  result.attrs = node.named_attrs();
  return result;
}

// Whether it does anything, and in every step.
bool is_work(const Node& node) {
  return node.num_inputs() > 0 && !is_view(node) && bytes_of(node) >= kLeastBytes;
}

// Rows by name; those that are there already stay.
void add_rows(const Graph& graph, std::map<std::string, OpCase>& rows) {
  struct Kind {
    const Node* node = nullptr;
    double seconds = 0.0;  // of all such nodes
  };
  std::map<std::string, Kind> kinds;
  std::map<std::string_view, double> longest;
  double all = 0.0;
  for (const Node& node : graph.nodes()) {
    if (!is_work(node)) continue;
    Kind& kind = kinds.try_emplace(name_of(node), Kind{.node = &node}).first->second;
    const double seconds = roofline_of(node, kPeaks).seconds();
    all += seconds;
    kind.seconds += seconds;
    longest[node.op_name()] = std::max(longest[node.op_name()], kind.seconds);
  }
  for (const auto& [name, kind] : kinds)
    if (kind.seconds >= std::min(kLeastShare * all, longest[kind.node->op_name()]))
      rows.try_emplace(name, case_of(*kind.node));
}

}  // namespace

std::vector<OpRow> op_table(const Backend& backend) {
  Settings settings;
  settings.set_pair("optim.batch_size=8");
  const auto step = training_graph(settings.resolve().recipe);
  std::map<std::string, OpCase> rows;
  for (const Precision precision : {Precision::f32, Precision::bf16})
    if (backend.supports(precision)) add_rows(*backend.lower(*step, precision), rows);
  std::vector<OpRow> result;
  for (auto& [name, op_case] : rows) result.push_back({name, std::move(op_case)});
  return result;
}

}  // namespace grimace::bench
