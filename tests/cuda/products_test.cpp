// matmul and linear: every shape, type and tail, and which of them take a kernel after the product.
#include "backends/cuda/kernels/product_tail.h"
#include "backends/cuda/matmul.h"
#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::expect_gpu_agrees;
using testing::GpuRun;

// In relative L2, against a reference that computes in f32 and rounds once. A 16-bit result rounded
// once as well differs where a sum in another order falls on the other side of a rounding, which is
// rare. Where a tail reads it, or a device rounds the bias, there are three roundings in all: each
// is off by up to u, evenly, so by u / sqrt(3) in L2, and all of them by u.
double limit_of(DType result, bool rounded_on_the_way) {
  if (result == DType::f32) return 1e-6;
  const double u = result == DType::bf16 ? 0x1p-8 : 0x1p-11;
  return rounded_on_the_way ? u : u / 4;
}

struct Linear {
  Shape x;
  int64_t out = 1;
  DType operand = DType::f32;
  DType result = DType::f32;
  bool bias = false;
  const char* epilogue = "none";
  int multiprocessors = 132;
};

std::string expect_linear_agrees(const Linear& l) {
  const auto build = [&](Builder& b) {
    std::vector<int64_t> dims = l.x.to_vector();
    dims.back() = l.out;
    std::vector<Value> inputs{b.input("x", {l.operand, l.x}),
                              b.input("w", {l.operand, {l.out, l.x[-1]}})};
    if (l.bias) inputs.push_back(b.input("bias", {DType::f32, {l.out}}));
    if (std::string_view(l.epilogue) == "add")
      inputs.push_back(b.input("residual", {DType::f32, Shape(dims)}));
    b.emit(op_linear, inputs,
           {{"bias", l.bias}, {"epilogue", l.epilogue}, {"result", AttrValue(l.result)}});
  };
  const bool rounded_on_the_way = l.bias || std::string_view(l.epilogue) != "none";
  return expect_gpu_agrees(build, limit_of(l.result, rounded_on_the_way), [&](GpuRun& run) {
    run.context.properties.multiprocessors = l.multiprocessors;
  });
}

std::string expect_matmul_agrees(const TensorType& a, const TensorType& b, bool transpose_a,
                                 bool transpose_b, DType result = DType::f32) {
  const auto build = [&](Builder& builder) {
    builder.emit(op_matmul, {builder.input("a", a), builder.input("b", b)},
                 {{"transpose_a", transpose_a},
                  {"transpose_b", transpose_b},
                  {"result", AttrValue(result)}});
  };
  return expect_gpu_agrees(build, limit_of(result, false));
}

TEST(CudaProducts, agree_on_every_op_case) {
  testing::expect_gpu_agrees_on_op_cases({&op_matmul, &op_linear});
}

TEST(CudaProducts, linear_takes_every_type_bias_and_epilogue) {
  constexpr std::pair<DType, DType> kTypes[] = {{DType::f32, DType::f32},
                                                {DType::bf16, DType::f32},
                                                {DType::bf16, DType::bf16},
                                                {DType::f16, DType::f32},
                                                {DType::f16, DType::f16}};
  for (const auto& [operand, result] : kTypes)
    for (const bool bias : {false, true})
      for (const char* epilogue : {"none", "gelu", "add"})
        for (const int64_t out : {7, 24})  // tails by one element and by 16 bytes
          expect_linear_agrees({{2, 5, 16}, out, operand, result, bias, epilogue});
}

TEST(CudaProducts, tails_go_round_more_than_once_on_a_small_device) {
  for (const DType type : {DType::f32, DType::bf16})
    for (const int64_t out : {7, 40, 1536})
      for (const char* epilogue : {"gelu", "add"})
        expect_linear_agrees({{700, 3}, out, type, type, true, epilogue, 1});
}

TEST(CudaProducts, matmul_takes_every_transpose_batch_and_type) {
  for (const DType type : {DType::f32, DType::bf16, DType::f16})
    for (const DType result : {DType::f32, type})
      for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
          const Shape b = tb ? Shape{3, 5, 8} : Shape{3, 8, 5};
          const Shape shared = tb ? Shape{5, 8} : Shape{8, 5};
          const TensorType a{type, ta ? Shape{3, 8, 4} : Shape{3, 4, 8}};
          expect_matmul_agrees(a, {type, b}, ta, tb, result);
          expect_matmul_agrees(a, {type, shared}, ta, tb, result);
        }
}

TEST(CudaProducts, nothing_to_sum_leaves_the_bias_and_the_residual) {
  EXPECT_EQ(expect_linear_agrees({{6, 0}, 8}), "product_tail f32, zeros, grid 1, 256 threads");
  EXPECT_EQ(expect_linear_agrees({{6, 0}, 8, DType::bf16, DType::bf16, true, "gelu"}),
            "product_tail bf16, zeros + bias + gelu, grid 1, 256 threads");
  EXPECT_EQ(expect_linear_agrees({{6, 0}, 7, DType::f32, DType::f32, true, "add"}),
            "product_tail f32, zeros + bias + residual, grid 1, 256 threads");
}

TEST(CudaProducts, empty_results_take_no_kernel) {
  const TensorType a{DType::f32, {3, 0, 4}};
  EXPECT_EQ(expect_matmul_agrees(a, {DType::f32, {3, 4, 5}}, false, false), "nothing");
  EXPECT_EQ(expect_linear_agrees({{0, 3}, 2, DType::bf16, DType::f32, true, "gelu"}), "nothing");
  EXPECT_EQ(expect_linear_agrees({{4, 3}, 0}), "nothing");
}

TEST(CudaProducts, names_say_what_is_computed_and_what_follows) {
  EXPECT_EQ(expect_linear_agrees({{2, 8, 16}, 24, DType::bf16, DType::bf16, true}),
            "cublasLt bf16 16x24x16 nt, to bf16, bias");
  EXPECT_EQ(expect_linear_agrees({{16, 16}, 24, DType::f32, DType::f32, true, "add"}),
            "cublasLt f32 16x24x16 nt, bias, residual");
  EXPECT_EQ(expect_linear_agrees({{16, 16}, 24, DType::bf16, DType::bf16, true, "gelu"}),
            "cublasLt bf16 16x24x16 nt, to bf16; bias + gelu, grid 1, 256 threads");
  EXPECT_EQ(expect_linear_agrees({{16, 16}, 24, DType::bf16, DType::bf16, true, "add"}),
            "cublasLt bf16 16x24x16 nt, to bf16; bias + residual, grid 1, 256 threads");
}

TEST(CudaProducts, a_batch_that_shares_b_is_one_product_where_its_rows_lie_in_order) {
  const TensorType b{DType::f32, {8, 5}};
  EXPECT_EQ(expect_matmul_agrees({DType::f32, {3, 4, 8}}, b, false, false), "cublasLt f32 12x5x8");
  EXPECT_EQ(expect_matmul_agrees({DType::f32, {3, 8, 4}}, b, true, false),
            "cublasLt f32 3 of 4x5x8 tn, shared b");
}

TEST(CudaProducts, only_products_of_f32_are_computed_in_tf32) {
  for (const DType type : {DType::f32, DType::bf16}) {
    const auto build = [&](Builder& b) {
      b.matmul(b.input("a", {type, {4, 8}}), b.input("b", {type, {8, 4}}));
    };
    const std::string name =
        expect_gpu_agrees(build, 1e-3, [](GpuRun& run) { run.context.tf32 = true; });
    EXPECT_EQ(name, cat("cublasLt ", type == DType::f32 ? "tf32" : "bf16", " 4x4x8"));
  }
}

TEST(CudaProducts, f64_and_mixed_results_are_left_to_other_backends) {
  Graph graph;
  Builder b(graph);
  const TensorType wide{DType::f64, {4, 4}};
  b.matmul(b.input("a", wide), b.input("b", wide));
  EXPECT_FALSE(cuda::has_kernel(graph.nodes().back()));
  const TensorType narrow{DType::bf16, {4, 4}};
  b.emit(op_matmul, {b.input("c", narrow), b.input("d", narrow)},
         {{"result", AttrValue(DType::f16)}});
  EXPECT_FALSE(cuda::has_kernel(graph.nodes().back()));
}

// What a device's library needs of a bias where it rounds its results.
TEST(CudaProducts, vectors_are_rounded_as_casts_round_them) {
  const Tensor values = testing::random_tensor({DType::f32, {1000}}, 3);
  for (const DType type : {DType::bf16, DType::f16}) {
    testing::DeviceMemory from(values.bytes());
    from.write(values.data());
    Tensor rounded(type, {1000});
    testing::DeviceMemory to(rounded.bytes());
    testing::DeviceStream().run([&](cudaStream_t stream) {
      cuda::launch_round(static_cast<const float*>(from.get()), 1000, type, to.get(), stream);
    });
    to.read(rounded.data());
    EXPECT_TRUE(testing::same_bits(rounded, values.cast(type))) << name_of(type);
  }
}

}  // namespace
}  // namespace grimace
