// One node of a tiny graph with operands of random numbers, its reference kernel, and how results
// are compared: what the tests of every backend's kernels share.
#pragma once

#include <cmath>
#include <cstring>
#include <random>

#include "ir/builder.h"
#include "ir/interpret.h"
#include "ir/op_def.h"
#include "runtime/tensor.h"

namespace grimace::testing {

// Standard normal floats; small integers for the other types.
inline Tensor random_tensor(const TensorType& type, uint64_t seed) {
  Tensor values(DType::f32, type.shape);
  std::mt19937 generator(static_cast<unsigned>(seed));
  std::normal_distribution<float> normal;
  for (float& v : values.as<float>()) v = normal(generator);
  if (type.dtype == DType::f32) return values;
  if (is_float(type.dtype)) return values.cast(type.dtype);
  for (float& v : values.as<float>()) v = std::fabs(std::floor(v));
  return values.cast(type.dtype);
}

// Builders leave out what changes nothing, as a cast to the same type.
inline const Node& last_node(const Graph& graph) {
  internal_check(!graph.nodes().empty(), "a graph of one node has none");
  return graph.nodes().back();
}

// The last node of a graph with its operands, of which any may be set before a run.
struct OneNode {
  explicit OneNode(Graph& graph) : node(last_node(graph)) {
    for (int i = 0; i < node.num_inputs(); ++i)
      inputs.push_back(random_tensor(node.in(i), static_cast<uint64_t>(i) + 1));
  }

  std::vector<ConstView> views() const {
    std::vector<ConstView> result;
    for (const Tensor& t : inputs) result.push_back(t.view());
    return result;
  }
  std::vector<Tensor> results() const {
    std::vector<Tensor> result;
    for (int i = 0; i < node.num_results(); ++i) {
      result.emplace_back(node.out(i));
      if (result.back().bytes() > 0)
        std::memset(result.back().data(), 0x7f, static_cast<size_t>(result.back().bytes()));
    }
    return result;
  }
  std::vector<Tensor> reference() const {
    std::vector<Tensor> out = results();
    std::vector<View> out_views;
    for (Tensor& t : out) out_views.push_back(t.view());
    run_reference(node, views(), out_views);
    return out;
  }

  const Node& node;
  std::vector<Tensor> inputs;
};

// ||got - wanted|| / ||wanted||, in double; 0 for two empty or equal tensors.
inline double relative_l2_error(const Tensor& got, const Tensor& wanted) {
  const Tensor a = got.cast(DType::f64);
  const Tensor b = wanted.cast(DType::f64);
  double difference = 0.0;
  double norm = 0.0;
  for (size_t i = 0; i < b.as<double>().size(); ++i) {
    difference += std::pow(a.as<double>()[i] - b.as<double>()[i], 2);
    norm += std::pow(b.as<double>()[i], 2);
  }
  return difference == 0.0 ? 0.0 : std::sqrt(difference / norm);
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() &&
         (a.bytes() == 0 || std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0);
}

}  // namespace grimace::testing
