// Small valid graphs drawn from a list of numbers: what the property tests of the text and file
// forms run over. Draws awkward names, scopes, constants of any bits, and every attribute kind.
#pragma once

#include <bit>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "ir/op_def.h"
#include "tests/testing.h"

namespace grimace::testing {

class RandomGraph {
 public:
  explicit RandomGraph(std::vector<uint32_t> choices) : choices_(std::move(choices)) {}

  std::unique_ptr<Graph> build() {
    auto graph = std::make_unique<Graph>("random.graph-" + std::to_string(below(3)));
    Builder b(*graph);
    floats_ = {b.input("x", {DType::f32, {2, 3}}), b.param("fc.weight", {2, 3})};
    const Value weight = b.param("norm.weight", {3});
    const Value moment = b.state("m/fc.weight", {DType::f32, {2, 3}});
    constants(*graph);
    while (at_ < choices_.size()) {
      graph->scope = scope();
      node(b, weight);
    }
    graph->scope.clear();
    for (uint32_t i = below(4); i > 0; --i) b.output("out" + std::to_string(i), any());
    b.output(below(2) == 0 ? "last" : "h", any());
    if (below(2) == 0) b.update(graph->find_input("fc.weight"), floating());
    if (below(2) == 0) b.update(moment, floating());
    return graph;
  }

 private:
  uint32_t next() { return at_ < choices_.size() ? choices_[at_++] : 0; }
  uint32_t below(uint32_t limit) { return next() % limit; }
  Value floating() { return floats_[below(static_cast<uint32_t>(floats_.size()))]; }
  Value any() {
    return others_.empty() || below(2) == 0 ? floating()
                                            : others_[below(static_cast<uint32_t>(others_.size()))];
  }
  // Unnamed, plain, repeated, and names that are (or nearly are) automatic ones.
  std::string name() {
    static const std::vector<std::string> names{
        "",      "",           "h",           "h",        "h_2", "encoder/blocks.0.fc1+res-1",
        "add_1", "gelu_0",     "add_1_2",     "gelu_0.1", "x",   "norm.weight",
        "h.1",   "layer_norm", "layer_norm_0"};
    return names[below(static_cast<uint32_t>(names.size()))];
  }
  std::string scope() {
    static const std::vector<std::string> scopes{"", "encoder", "encoder/blocks.3/mlp", "a-b_c+d"};
    return scopes[below(static_cast<uint32_t>(scopes.size()))];
  }
  double real() {
    const uint64_t bits = (uint64_t{next()} << 32) | next();
    return below(4) == 0 ? 1e-6 : std::bit_cast<double>(bits);
  }

  void constants(Graph& graph) {
    for (uint32_t count = below(4); count > 0; --count) {
      const TensorType type{static_cast<DType>(below(8)), {static_cast<int64_t>(below(4)), 2}};
      std::vector<std::byte> data(static_cast<size_t>(type.bytes()));
      for (std::byte& b : data) {
        b = static_cast<std::byte>(next());
        if (type.dtype == DType::boolean) b &= std::byte{1};
      }
      others_.push_back(graph.add_constant("c" + std::to_string(count), type, data));
    }
  }

  void node(Builder& b, Value weight) {
    const Value x = floating();
    switch (below(10)) {
      case 0:
        return keep(b.emit(op_add, {x, floating()}, {}, name()));
      case 1:
        return keep(b.emit(op_gelu, {x}, {}, name()));
      case 2:
        return norm(b, x, weight);
      case 3:
        return keep(b.emit(op_full, {}, {{"value", real()}, {"shape", pair(2, 3)}}, name()));
      case 4:
        return aside(b.emit(op_transpose, {x}, {{"permutation", pair(1, 0)}}, name()));
      case 5:
        return aside(b.emit(op_cast, {x}, {{"to", static_cast<DType>(below(4))}}, name()));
      case 6:
        return aside(b.emit(op_reduce_sum, {x},
                            {{"axes", std::vector<int64_t>{1}}, {"keep", below(2) == 0}}, name()));
      case 7:
        return aside(b.emit(op_concat, {x, floating(), x}, {{"axis", 1}}, name()));
      case 8:
        return aside(b.emit(op_matmul, {x, floating()}, {{"transpose_b", true}}, name()));
      default:
        return aside(b.emit(op_linear, {x, floating()}, {{"epilogue", "gelu"}}, name()));
    }
  }
  void norm(Builder& b, Value x, Value weight) {
    const std::vector<Value> results =
        b.emit_all(op_layer_norm, {x, weight, weight}, {{"eps", real()}}, name());
    for (const Value& v : results)
      if (below(3) == 0) b.graph().rename(v, name());
    floats_.push_back(results[0]);
    others_.push_back(results[2]);
  }
  static std::vector<int64_t> pair(int64_t a, int64_t b) { return {a, b}; }
  void keep(Value v) { floats_.push_back(v); }  // an f32[2x3]
  void aside(Value v) { others_.push_back(v); }

  std::vector<uint32_t> choices_;
  size_t at_ = 0;
  std::vector<Value> floats_;
  std::vector<Value> others_;
};

inline std::unique_ptr<Graph> random_graph(const std::vector<uint32_t>& choices) {
  return RandomGraph(choices).build();
}

}  // namespace grimace::testing
