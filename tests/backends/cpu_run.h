// Runs the node of a tiny graph with a cpu kernel and with its reference kernel, and compares.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "backends/cpu/cpu_kernels.h"
#include "ir/builder.h"
#include "ir/interpret.h"
#include "ir/op_def.h"

namespace grimace::testing {

inline cpu::Context context(int threads, cpu::Isa isa = cpu::best_isa()) {
  return {.threads = threads, .isa = isa};
}

// For tests with an Isa as parameter: names may not have a dash.
inline std::string isa_test_name(const ::testing::TestParamInfo<cpu::Isa>& info) {
  std::string name(name_of(info.param));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

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

// The last node of a graph with its operands, of which any may be set before a run.
struct NodeRun {
  explicit NodeRun(Graph& graph) : node(graph.nodes().back()) {
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
  Operands operands(std::vector<Tensor>& out) const {
    Operands result;
    result.in = views();
    for (Tensor& t : out) result.out.push_back(t.view());
    result.stable.resize(inputs.size(), false);
    return result;
  }
  std::vector<Tensor> kernel(const cpu::Context& cpu) const {
    std::vector<Tensor> out = results();
    cpu::CpuKernels(cpu).make(node, operands(out))();
    return out;
  }
  // Results 0, 1, ... over the inputs `at`, in place.
  std::vector<Tensor> kernel_in_place(const cpu::Context& cpu,
                                      const std::vector<size_t>& at) const {
    std::vector<Tensor> out;
    for (const size_t i : at) out.push_back(inputs[i]);
    Operands aliased = operands(out);
    for (size_t i = 0; i < at.size(); ++i) aliased.in[at[i]] = out[i].view();
    cpu::CpuKernels(cpu).make(node, aliased)();
    return out;
  }

  const Node& node;
  std::vector<Tensor> inputs;
};

// ||got - wanted|| / ||wanted||, in double; 0 for two empty or equal tensors.
inline double relative_error(const Tensor& got, const Tensor& wanted) {
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

// The kernel agrees with the reference on every instruction set and with 1, 2 and 3 threads, and
// two runs agree bit for bit.
inline void expect_kernel_agrees(const std::function<void(Builder&)>& build, double limit = 1e-6,
                                 const std::function<void(NodeRun&)>& prepare = {}) {
  Graph graph;
  Builder b(graph);
  build(b);
  NodeRun run(graph);
  if (prepare) prepare(run);
  SCOPED_TRACE(run.node.describe() + " " + to_string(run.node.out()));
  ASSERT_TRUE(cpu::has_kernel(run.node));
  const std::vector<Tensor> wanted = run.reference();
  for (const cpu::Isa isa :
       {cpu::Isa::sse2, cpu::Isa::avx2, cpu::Isa::avx512, cpu::Isa::amx, cpu::Isa::amx_emulated}) {
    if (!runs_here(isa)) continue;
    for (const int threads : {1, 2, 3}) {
      const std::vector<Tensor> got = run.kernel(context(threads, isa));
      const std::vector<Tensor> again = run.kernel(context(threads, isa));
      for (size_t i = 0; i < wanted.size(); ++i) {
        EXPECT_LE(relative_error(got[i], wanted[i]), limit)
            << "result " << i << " on " << name_of(isa) << " with " << threads << " threads";
        EXPECT_TRUE(same_bits(got[i], again[i])) << "result " << i << " differs between runs";
      }
    }
  }
}

}  // namespace grimace::testing
