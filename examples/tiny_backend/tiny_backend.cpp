// Own kernels, in f32, for products, sums and the elementwise ops that models use most.
#include "examples/tiny_backend/tiny_backend.h"

#include <algorithm>

#include "ir/op_def.h"

namespace grimace {
namespace {

// y[i] = f(a[i], b[i]), for operands of one shape: broadcasting is left to the reference kernel.
bool of_one_shape(const Node& node) {
  return node.in(0).dtype == DType::f32 && node.in(0) == node.in(1);
}
template <typename F>
Kernel elementwise(const Operands& operands, F f) {
  return [f, a = operands.in[0].as<float>(), b = operands.in[1].as<float>(),
          y = operands.out[0].as<float>()] {
    for (size_t i = 0; i < y.size(); ++i) y[i] = f(a[i], b[i]);
  };
}
Kernel make_add(const Node&, const Operands& operands) {
  return elementwise(operands, [](float a, float b) { return a + b; });
}
Kernel make_mul(const Node&, const Operands& operands) {
  return elementwise(operands, [](float a, float b) { return a * b; });
}

// c = a b or a b^T, rows of a by a matrix that they share.
bool by_shared_matrix(const Node& node) {
  return node.in(0).dtype == DType::f32 && node.in(1).dtype == DType::f32 &&
         node.out().dtype == DType::f32 && node.in(1).shape.rank() == 2 &&
         !node.flag("transpose_a");
}
Kernel make_matmul(const Node& node, const Operands& operands) {
  const int64_t k = node.in(0).shape[-1];
  const int64_t n = node.out().shape[-1];
  const int64_t m = n == 0 ? 0 : node.out().numel() / n;
  const bool transposed = node.flag("transpose_b");
  const int64_t step = transposed ? 1 : n;
  const int64_t column = transposed ? k : 1;
  return [=, a = operands.in[0].as<float>().data(), b = operands.in[1].as<float>().data(),
          c = operands.out[0].as<float>().data()] {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        float sum = 0.0f;
        for (int64_t s = 0; s < k; ++s) sum += a[i * k + s] * b[s * step + j * column];
        c[i * n + j] = sum;
      }
  };
}

struct KernelRow {
  const OpDef* op;
  bool (*serves)(const Node&);  // which nodes of that op
  Kernel (*make)(const Node&, const Operands&);
};
constexpr KernelRow kKernels[] = {
    {&op_add, of_one_shape, make_add},
    {&op_mul, of_one_shape, make_mul},
    {&op_matmul, by_shared_matrix, make_matmul},
};

const KernelRow* row_of(const Node& node) {
  const auto* row = std::ranges::find_if(
      kKernels, [&](const KernelRow& r) { return node.is(*r.op) && r.serves(node); });
  return row == std::end(kKernels) ? nullptr : row;
}

class TinyKernels : public KernelFactory {
 public:
  Kernel make(const Node& node, const Operands& operands) override {
    if (const KernelRow* row = row_of(node)) return row->make(node, operands);
    return reference_kernel(node, operands);
  }
  bool is_fast(const Node& node) const override { return row_of(node) != nullptr; }
};

class TinyBackend : public Backend {
 public:
  std::string_view name() const override { return "tiny"; }
  bool supports(Precision precision) const override { return precision == Precision::f32; }
  bool supports(const Node& node) const override { return row_of(node) != nullptr; }

  // Fused ops become simpler ones, as these may have a kernel: linear leads to matmul and add.
  std::unique_ptr<Graph> lower(const Graph& graph, Precision precision) const override {
    check(supports(precision), "the tiny backend computes in f32 only; got precision ",
          name_of(precision));
    auto copy = graph.clone();
    expand(*copy, [](const Node& node) { return row_of(node) != nullptr; });
    return copy;
  }

  std::unique_ptr<Executable> compile(const Graph& graph, const CompileOptions& options) override {
    auto lowered = lower(graph, options.precision);
    ExecutableInfo info;
    info.backend = "tiny f32, 1 thread";
    return make_host_executable(std::move(lowered), std::make_unique<TinyKernels>(), info,
                                options.memory_budget);
  }
};

}  // namespace

std::unique_ptr<Backend> make_tiny_backend() {
  return std::make_unique<TinyBackend>();
}

}  // namespace grimace
