// Runs the node of a tiny graph with a cpu kernel and with its reference kernel, and compares.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "backends/cpu/cpu_kernels.h"
#include "tests/node_run.h"

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

struct NodeRun : OneNode {
  using OneNode::OneNode;

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
};

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
        EXPECT_LE(relative_l2_error(got[i], wanted[i]), limit)
            << "result " << i << " on " << name_of(isa) << " with " << threads << " threads";
        EXPECT_TRUE(same_bits(got[i], again[i])) << "result " << i << " differs between runs";
      }
    }
  }
}

}  // namespace grimace::testing
