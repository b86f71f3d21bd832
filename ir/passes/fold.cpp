// Constant folding with the ops' own reference kernels: what depends on literals alone becomes one.
// A literal is a `full` where all elements are equal, a constant of the graph otherwise.
#include <cmath>
#include <cstring>

#include "ir/interpret.h"
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

constexpr int64_t kMaxFolded = 64;  // elements: larger tables are cheaper to compute than to store
constexpr double kMaxExactInteger = 0x1p53;  // to here every i64 is a double

// The result of a node of literals. Null when its kernel refuses them, so that the run reports it.
std::optional<Buffer> evaluate(const Node& node) {
  std::vector<Buffer> inputs;
  std::vector<ConstView> in;
  inputs.reserve(node.inputs().size());
  for (const Value& v : node.inputs()) {
    if (v.is(Role::constant)) {
      in.push_back({v.type(), v.def()->data.data()});
      continue;
    }
    inputs.emplace_back(v.type());
    run_reference(*v.producer(), {}, std::vector{inputs.back().view()});
    in.push_back(inputs.back().view());
  }
  Buffer result(node.out());
  try {
    run_reference(node, in, std::vector{result.view()});
  } catch (const RunError&) {
    return std::nullopt;
  }
  return result;
}

// The number that every element is, bit for bit; null when they differ or no `full` can say it.
std::optional<double> splat_of(const Buffer& buffer) {
  const int64_t size = size_of(buffer.type.dtype);
  const std::byte* data = buffer.data.data();
  if (buffer.type.numel() == 0) return std::nullopt;
  for (int64_t i = 1; i < buffer.type.numel(); ++i)
    if (std::memcmp(data, data + i * size, static_cast<size_t>(size)) != 0) return std::nullopt;
  const auto first = [data](auto value) -> std::optional<double> {
    std::memcpy(&value, data, sizeof(value));
    const auto number = static_cast<double>(value);
    const bool exact = std::is_integral_v<decltype(value)> ? std::abs(number) <= kMaxExactInteger
                                                           : std::isfinite(number);
    return exact ? std::optional(number) : std::nullopt;
  };
  switch (buffer.type.dtype) {
    case DType::f32:
      return first(float{});
    case DType::f64:
      return first(double{});
    case DType::i32:
      return first(int32_t{});
    case DType::i64:
      return first(int64_t{});
    case DType::u8:
      return first(uint8_t{});
    case DType::boolean:
      return first(false);
    default:
      return std::nullopt;  // 16-bit literals stay constants
  }
}

// A name that no input has, the first such where they are numbered without gaps. Found in few
// looks: a graph may have very many.
std::string free_name(const Graph& graph) {
  const auto name = [](int64_t n) { return cat("folded_", n); };
  const auto taken = [&](int64_t n) { return static_cast<bool>(graph.find_input(name(n))); };
  int64_t last = -1;  // taken, or before the first
  int64_t free = 0;
  while (taken(free)) {
    last = free;
    free = 2 * free + 1;
  }
  while (free - last > 1) {
    const int64_t middle = last + (free - last) / 2;
    (taken(middle) ? last : free) = middle;
  }
  return name(free);
}

Value literal(Builder& b, const Buffer& buffer) {
  const std::optional<double> splat = splat_of(buffer);
  if (splat) return b.full(*splat, buffer.type.shape, buffer.type.dtype);
  return b.graph().add_constant(free_name(b.graph()), buffer.type, buffer.data);
}

bool of_literals(const Node& node) {
  for (const Value& v : node.inputs())
    if (!is_full(v) && !v.is(Role::constant)) return false;
  return node.num_inputs() > 0 && node.num_results() == 1 && !node.result().is_output();
}

//   f(literal, ...)  ->  literal, of at most kMaxFolded elements
Value fold_small(Builder& b, const Node& node) {
  if (!of_literals(node) || node.out().numel() > kMaxFolded) return {};
  for (const Value& v : node.inputs())
    if (v.type().numel() > kMaxFolded) return {};
  const std::optional<Buffer> result = evaluate(node);
  return result ? literal(b, *result) : Value{};
}

//   f(full a, full b)  ->  full f(a, b), of any size, for an elementwise f
Value fold_splat(Builder& b, const Node& node) {
  if (!of_literals(node) || !node.op().elementwise || node.out().numel() <= kMaxFolded) return {};
  Graph scalars;
  std::vector<Value> inputs;
  for (const Value& v : node.inputs()) {
    if (!is_full(v)) return {};
    inputs.push_back(Builder(scalars).full(v.producer()->real("value"), {}, v.dtype()));
  }
  const Node& scalar = scalars.add_node(node.op(), std::move(inputs), node.named_attrs());
  const std::optional<Buffer> result = evaluate(scalar);
  const std::optional<double> value = result ? splat_of(*result) : std::nullopt;
  if (!value) return {};
  return b.full(*value, node.out().shape, node.out().dtype);
}

//   reshape, broadcast, transpose or slice of full a  ->  full a
Value fold_move(Builder& b, const Node& node) {
  const bool moves =
      node.is(op_reshape) || node.is(op_broadcast) || node.is(op_transpose) || node.is(op_slice);
  if (!moves || !is_full(node.input(0))) return {};
  return b.full(node.input(0).producer()->real("value"), node.out().shape, node.out().dtype);
}

constexpr Rule kRules[] = {fold_move, fold_small, fold_splat};

}  // namespace

int fold(Graph& graph) {
  return rewrite(graph, kRules);
}

}  // namespace grimace
