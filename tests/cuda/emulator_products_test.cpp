// make_matmul of the emulated GPU against plain loops in double.
#include "backends/cuda/matmul.h"
#include "tests/cuda/gpu_run.h"

namespace grimace::cuda {
namespace {

using testing::random_tensor;

Tensor plain_product(const MatmulSpec& s, const Tensor& a, const Tensor& b, const Tensor& bias,
                     const Tensor& residual) {
  const Tensor a64 = a.cast(DType::f64), b64 = b.cast(DType::f64);
  const Tensor bias64 = bias.cast(DType::f64), residual64 = residual.cast(DType::f64);
  Tensor y(DType::f64, {s.batch, s.m, s.n});
  const auto at = [](const Tensor& t, int64_t i) { return t.as<double>()[static_cast<size_t>(i)]; };
  for (int64_t i = 0; i < y.numel(); ++i) {
    const int64_t image = i / (s.m * s.n), row = i / s.n % s.m, column = i % s.n;
    double sum = (s.bias ? at(bias64, column) : 0.0) + (s.residual ? at(residual64, i) : 0.0);
    for (int64_t k = 0; k < s.k; ++k) {
      const int64_t of_a = s.transpose_a ? k * s.m + row : row * s.k + k;
      const int64_t of_b = s.transpose_b ? column * s.k + k : k * s.n + column;
      sum +=
          at(a64, image * s.m * s.k + of_a) * at(b64, (s.shared_b ? 0 : image * s.k * s.n) + of_b);
    }
    y.as<double>()[static_cast<size_t>(i)] = sum;
  }
  return y;
}

// The larger of two runs' relative errors, one at once and one through a graph.
double product_error(const MatmulSpec& s) {
  const Tensor a = random_tensor({s.operand, {s.batch, s.m, s.k}}, 1);
  const Tensor b = random_tensor({s.operand, {s.shared_b ? 1 : s.batch, s.k, s.n}}, 2);
  const Tensor bias = random_tensor({DType::f32, {s.n}}, 3);
  const Tensor residual = random_tensor({DType::f32, {s.batch, s.m, s.n}}, 4);
  std::vector<std::unique_ptr<testing::DeviceMemory>> memory;
  for (const Tensor* t : {&a, &b, &bias, &residual}) {
    memory.push_back(std::make_unique<testing::DeviceMemory>(t->bytes()));
    memory.back()->write(t->data());
  }
  Tensor y(s.result, {s.batch, s.m, s.n});
  testing::DeviceMemory result(y.bytes());
  const auto product =
      make_matmul(s,
                  {memory[0]->get(), memory[1]->get(), static_cast<const float*>(memory[2]->get()),
                   static_cast<const float*>(memory[3]->get()), result.get()},
                  Context{}, "a test");
  product->prepare();
  testing::DeviceStream stream;
  const Tensor wanted = plain_product(s, a, b, bias, residual);
  const auto run = [&](cudaStream_t on) { product->run(on); };
  double error = 0.0;
  for (const bool captured : {false, true}) {
    result.poison();
    captured ? stream.run_captured(run) : stream.run(run);
    result.read(y.data());
    error = std::max(error, testing::relative_l2_error(y, wanted));
  }
  return error;
}

TEST(EmulatedProduct, agrees_with_plain_loops) {
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      MatmulSpec s{.batch = 2, .m = 7, .n = 5, .k = 33, .transpose_a = ta, .transpose_b = tb};
      EXPECT_LE(product_error(s), 1e-6);
      s.bias = s.residual = s.shared_b = true;
      EXPECT_LE(product_error(s), 1e-6);
      s.operand = DType::bf16;
      EXPECT_LE(product_error(s), 1e-6);
      s.result = DType::bf16;
      EXPECT_LE(product_error(s), 4e-3);
      s.operand = s.result = DType::f16;
      EXPECT_LE(product_error(s), 5e-4);
    }
}

TEST(EmulatedProduct, rounds_operands_to_tf32_where_told) {
  const MatmulSpec s{.m = 16, .n = 16, .k = 64, .tf32 = true};
  EXPECT_LE(product_error(s), 1e-3);
  EXPECT_GE(product_error(s), 1e-5);
}

TEST(EmulatedProduct, of_no_terms_is_the_bias) {
  EXPECT_LE(product_error({.m = 3, .n = 4, .k = 0, .bias = true}), 0.0);
}

}  // namespace
}  // namespace grimace::cuda
