// Runs graphs and single nodes with the ops' reference kernels: the oracle, and what constant
// folding and gradient checking use. Slow and obvious.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/view.h"

namespace grimace {

// A tensor that owns its bytes (the IR does not know the runtime's Tensor).
struct Buffer {
  Buffer() = default;
  explicit Buffer(const TensorType& t) : type(t), data(static_cast<size_t>(t.bytes())) {}
  // Never null, though an empty vector's data may be: memcpy does not allow it.
  View view() { return {type, data.empty() ? &nothing : data.data()}; }
  ConstView view() const { return {type, data.empty() ? &nothing : data.data()}; }

  TensorType type;
  std::vector<std::byte> data;
  inline static std::byte nothing{};
};

// Runs one node; a fused op without a reference kernel as its decomposition. 16-bit float operands
// are widened to f32 and results rounded back, so every reference kernel only knows f32 and f64.
void run_reference(const Node& node, std::span<const ConstView> in, std::span<const View> out);

struct Interpretation {
  std::map<std::string, Buffer> outputs;  // by output name
  std::map<std::string, Buffer> updates;  // the new value of each updated param or state, by name
};
// `inputs` holds every graph input but the constants, by name, in its declared type; Error naming
// what is missing or of another type.
Interpretation interpret(const Graph& graph, const std::map<std::string, Buffer>& inputs);

}  // namespace grimace
