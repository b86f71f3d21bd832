// What is true of an op on every backend, in one struct, defined once in ir/ops/<op>.cpp.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ir/view.h"

namespace grimace {

class Builder;

// How results may share memory with inputs, for the planner.
enum class Aliasing : uint8_t {
  none,
  elementwise,  // result may overwrite any input of the same type
  reshape,      // result is input 0 under another shape: no copy at all
  in_order,     // result i may overwrite input i (adamw: param, m, v)
};

struct OpDef {
  std::string_view name;
  int min_inputs = 1;
  int max_inputs = 1;  // -1: any number
  std::array<AttrSpec, 6> attrs{};

  // Result types from input types and attributes. All user errors are raised here, with
  // node.require; every check has a test with its exact text.
  std::vector<TensorType> (*infer)(const Node&) = nullptr;

  // Cost of one execution. `macs` counts matmul products only (spec 11.1).
  int64_t (*flops)(const Node&) = nullptr;  // null: 0
  int64_t (*macs)(const Node&) = nullptr;   // null: 0
  int64_t (*bytes)(const Node&) =
      nullptr;  // null: every input read once, every result written once

  // Gradients of the inputs as IR, from gradients of the results (null where a result has none).
  // A null entry, or a short vector, means no gradient flows there. Null function: not
  // differentiable.
  std::vector<Value> (*grad)(Builder&, const Node&, std::span<const Value>) = nullptr;

  // A fused op's meaning in simpler ops; null for a primitive.
  std::vector<Value> (*decompose)(Builder&, const Node&) = nullptr;

  // The oracle: obvious loops, f32 and f64. Null only for a fused op.
  void (*reference)(const Node&, std::span<const ConstView>, std::span<const View>) = nullptr;

  // Properties that passes and planners ask for.
  bool elementwise = false;  // result[i] depends on inputs[i], with NumPy broadcasting
  bool commutative = false;
  // Whether last-axis rows of result 0 depend on the same rows of input 0 only, the other inputs
  // being shared by all rows. Null: no.
  bool (*row_wise)(const Node&) = nullptr;
  Aliasing aliasing = Aliasing::none;

  int num_attrs() const {
    int n = 0;
    while (n < static_cast<int>(attrs.size()) && !attrs[static_cast<size_t>(n)].name.empty()) ++n;
    return n;
  }
};

#define OP(name) extern const OpDef op_##name;
#include "ir/ops/op_list.inc"
#undef OP

std::span<const OpDef* const> all_ops();
// Error "<place>unknown op 'lineal'; did you mean 'linear'?".
const OpDef& known_op(std::string_view name, std::string_view place = "");

// Whether its result is its input under another shape: it has no memory and no kernel of its own.
bool is_view(const Node& node);
// The value that owns the memory: what the views that lead to this one begin with.
Value root_of(Value value);

int64_t flops_of(const Node& node);
int64_t macs_of(const Node& node);
int64_t bytes_of(const Node& node);

}  // namespace grimace
