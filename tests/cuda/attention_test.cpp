// attention and attention_grad on the GPU: against the reference kernels over all sizes that choose
// a kernel, and against an evaluation of the formulas in f64 in the shapes of the models.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using namespace testing;

struct Case {
  int64_t batch, queries, keys, heads, width;
};
// Weights and ds are rounded to bf16 for their products, as the operands are.
constexpr double kBf16 = 4e-3;
constexpr double kF16 = 1e-3;
constexpr double kF32 = 4e-6;

double limit_of(DType dtype) {
  return dtype == DType::f32 ? kF32 : dtype == DType::f16 ? kF16 : kBf16;
}

// The node, with its operands packed in `count` tensors.
BuildNode node_of(const Case& c, int count, DType dtype, bool gradient,
                  std::optional<double> scale = std::nullopt) {
  return [=](Builder& g) {
    const int64_t dim = c.heads * c.width;
    const auto input = [&](const char* name, int64_t rows, int64_t columns) {
      return g.input(name, {dtype, {c.batch, rows, columns}});
    };
    std::vector<Value> inputs{
        input("q", c.queries, count == 1 ? 3 * dim : dim),
    };
    if (count == 2) inputs.push_back(input("kv", c.keys, 2 * dim));
    if (count == 3)
      for (const char* name : {"k", "v"}) inputs.push_back(input(name, c.keys, dim));
    if (gradient) inputs.push_back(input("dy", c.queries, dim));
    g.emit_all(gradient ? op_attention_grad : op_attention, inputs,
               {{"heads", c.heads},
                {"scale", scale.value_or(1.0 / std::sqrt(static_cast<double>(c.width)))}});
  };
}

// Of the kernel's name, what is before its geometry.
std::string kernel_of(const std::string& name) {
  return name.substr(0, name.find('>') + 1);
}

TEST(CudaAttention, AgreesWithReferenceOnOpCases) {
  expect_gpu_agrees_on_op_cases({&op_attention, &op_attention_grad});
}

struct Choice {
  Case c;
  const char* forward;
  const char* backward;
};

void expect_choice(const Choice& choice, DType dtype) {
  const Case& c = choice.c;
  for (const bool gradient : {false, true})
    for (const int count : {1, 2, 3}) {
      if (count == 1 && c.queries != c.keys) continue;
      const std::string name =
          expect_gpu_agrees(node_of(c, count, dtype, gradient), limit_of(dtype));
      EXPECT_EQ(kernel_of(name), gradient ? choice.backward : choice.forward);
    }
}

TEST(CudaAttention, OfBf16IsOnTensorCoresInTilesThatFitTheShape) {
  for (const Choice& choice : {
           Choice{
               {2, 11, 11, 3, 64}, "attention_mma<64,16x16>", "attention_mma_few_keys_grad<64,1>"},
           {{1, 1, 1, 1, 64}, "attention_mma<64,16x16>", "attention_mma_few_keys_grad<64,1>"},
           {{1, 16, 16, 5, 32}, "attention_mma<32,16x16>", "attention_mma_few_keys_grad<32,1>"},
           {{2, 80, 8, 2, 64}, "attention_mma<64,64x16>", "attention_mma_few_keys_grad<64,4>"},
           {{1, 17, 9, 3, 32}, "attention_mma<32,64x16>", "attention_mma_few_keys_grad<32,4>"},
           {{1, 41, 41, 2, 64}, "attention_mma<64,48x48>", "attention_mma_one_block_grad<64,48>"},
           {{1, 7, 48, 2, 32}, "attention_mma<32,48x48>", "attention_mma_one_block_grad<32,48>"},
           {{2, 101, 101, 2, 64},
            "attention_mma<64,112x112>",
            "attention_mma_one_block_grad<64,112>"},
           {{1, 112, 49, 1, 32},
            "attention_mma<32,112x112>",
            "attention_mma_one_block_grad<32,112>"},
           {{1, 20, 130, 2, 64}, "attention_mma<64,64x64>", "attention_mma_grad<64>"},
           {{1, 120, 64, 2, 32}, "attention_mma<32,64x64>", "attention_mma_grad<32>"},
           {{1, 200, 131, 2, 64}, "attention_mma<64,128x64>", "attention_mma_grad<64>"},
           {{1, 128, 193, 1, 32}, "attention_mma<32,64x64>", "attention_mma_grad<32>"},
           {{1, 129, 17, 1, 32}, "attention_mma<32,128x64>", "attention_mma_grad<32>"},
       })
    expect_choice(choice, DType::bf16);
}

TEST(CudaAttention, OfF32IsInTilesThatFitTheShape) {
  for (const Choice& choice : {
           Choice{{2, 11, 11, 3, 64}, "attention<16x16>", "attention_grad<16x16>"},
           {{1, 80, 8, 2, 64}, "attention<64x16>", "attention_grad<64x16>"},
           {{1, 101, 101, 1, 64}, "attention<64x64>", "attention_grad<64x64>"},
           {{1, 13, 70, 2, 20}, "attention<64x64>", "attention_grad<64x64>"},
           {{2, 5, 6, 2, 7}, "attention<16x16>", "attention_grad<16x16>"},
           {{1, 40, 35, 2, 96}, "attention<32x32>", "attention_grad<32x32>"},
           {{1, 35, 33, 1, 256}, "attention<32x32>", "attention_grad<32x32>"},
           {{1, 3, 300, 1, 131}, "attention<32x32>", "attention_grad<32x32>"},
       })
    expect_choice(choice, DType::f32);
}

TEST(CudaAttention, SixteenBitsOfOtherWidthsAreRightButNotFast) {
  for (const DType dtype : {DType::bf16, DType::f16})
    for (const Choice& choice : {
             Choice{{2, 11, 11, 3, 20}, "attention<64x64>", "attention_grad<64x64>"},
             {{1, 66, 70, 1, 80}, "attention<32x32>", "attention_grad<32x32>"},
         })
      expect_choice(choice, dtype);
  expect_choice({{1, 11, 11, 2, 64}, "attention<64x64>", "attention_grad<64x64>"}, DType::f16);
}

// Whether the run's notes would name the node.
bool is_fast(const Case& c, DType dtype) {
  Graph graph;
  Builder b(graph);
  node_of(c, 1, dtype, false)(b);
  const GpuRun run(graph);
  std::vector<Tensor> out = run.results();
  return cuda::make_kernel(run.node, {run.views(), {out[0].view()}, {false}}, {}).fast;
}

TEST(CudaAttention, SaysWhereItHasNoFastKernel) {
  EXPECT_TRUE(is_fast({1, 11, 11, 2, 64}, DType::bf16));
  EXPECT_TRUE(is_fast({1, 11, 11, 2, 64}, DType::f32));
  EXPECT_TRUE(is_fast({1, 11, 11, 2, 20}, DType::f32));
  EXPECT_FALSE(is_fast({1, 11, 11, 2, 20}, DType::bf16));
}

TEST(CudaAttention, WithoutKeysIsZeroAndWithoutResultsNothing) {
  const auto name_of_kernel = [](const Case& c, bool gradient) {
    return expect_gpu_agrees(node_of(c, 2, DType::bf16, gradient), 0.0);
  };
  EXPECT_EQ(name_of_kernel({0, 5, 5, 1, 64}, false), "nothing");
  EXPECT_EQ(name_of_kernel({1, 0, 5, 1, 64}, false), "nothing");
  for (const bool gradient : {false, true}) {
    EXPECT_NE(name_of_kernel({1, 5, 0, 2, 64}, gradient), "nothing");
    EXPECT_EQ(name_of_kernel({2, 5, 3, 2, 0}, gradient), "nothing");
  }
  EXPECT_NE(name_of_kernel({1, 0, 5, 2, 64}, true), "nothing");  // dk and dv are zeros
}

// With a scale below zero the smallest product weighs most; with none all keys weigh the same.
TEST(CudaAttention, TakesScalesOfAnySign) {
  for (const double scale : {-0.3, 0.0, 4.0, -4.0})
    for (const bool gradient : {false, true}) {
      for (const Case& c :
           {Case{1, 11, 11, 2, 32}, {1, 40, 9, 2, 32}, {1, 70, 90, 1, 32}, {1, 130, 150, 1, 32}})
        expect_gpu_agrees(node_of(c, 2, DType::bf16, gradient, scale), kBf16);
      expect_gpu_agrees(node_of({1, 70, 90, 1, 16}, 2, DType::f32, gradient, scale), 2e-5);
    }
}

TEST(CudaAttention, IsNotUpsetByLargeScores) {
  const auto enlarge = [](GpuRun& run) {
    Tensor q = run.inputs[0].cast(DType::f32);
    for (float& x : q.as<float>()) x *= 64.0f;
    run.inputs[0] = q.cast(run.inputs[0].type().dtype);
  };
  // Scores of hundreds carry 1e-5 of absolute error into the exponent.
  expect_gpu_agrees(node_of({1, 9, 30, 1, 8}, 2, DType::f32, false, 1.0), 4e-5, enlarge);
  for (const Case& c : {Case{1, 9, 9, 1, 64}, {1, 130, 150, 1, 64}})
    expect_gpu_agrees(node_of(c, 2, DType::bf16, false, 1.0), kBf16, enlarge);
}

// In the first query alone: all of its row, and no other.
TEST(CudaAttention, KeepsWhatIsNotANumber) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const Case& c : {Case{1, 3, 3, 1, 32}, {1, 101, 101, 1, 32}, {1, 130, 130, 1, 32}}) {
      Graph graph;
      Builder b(graph);
      node_of(c, 3, dtype, false)(b);
      GpuRun run(graph);
      Tensor q = run.inputs[0].cast(DType::f32);
      q.as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
      run.inputs[0] = q.cast(dtype);
      const Tensor y = run.kernel().out[0].cast(DType::f32);
      for (size_t i = 0; i < static_cast<size_t>(c.queries * c.width); ++i)
        ASSERT_EQ(std::isnan(y.view().as<float>()[i]), i < static_cast<size_t>(c.width))
            << dtype << " " << i;
    }
}

// ---- The formulas in f64 --------------------------------------------------------------------

// One head's rows of a packed tensor of doubles.
struct Rows {
  double* data;
  int64_t stride;
  double* operator[](int64_t row) const { return data + row * stride; }
};
Rows rows_of(Tensor& packed, const Case& c, int64_t sample, int64_t head, int64_t part = 0) {
  const int64_t rows = packed.type().shape[1];
  const int64_t columns = packed.type().shape[2];
  return {packed.as<double>().data() + sample * rows * columns + (part * c.heads + head) * c.width,
          columns};
}
double dot(const double* a, const double* b, int64_t count) {
  return std::inner_product(a, a + count, b, 0.0);
}
void add(double* to, double weight, const double* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] += weight * x[i];
}

// Weights of one query.
std::vector<double> softmax(const double* q, const Rows& k, const Case& c) {
  std::vector<double> w;
  for (int64_t j = 0; j < c.keys; ++j)
    w.push_back(dot(q, k[j], c.width) / std::sqrt(static_cast<double>(c.width)));
  const double top = *std::max_element(w.begin(), w.end());
  double sum = 0.0;
  for (double& x : w) sum += x = std::exp(x - top);
  for (double& x : w) x /= sum;
  return w;
}

// Results of the node of q [B,T1,C], kv [B,T2,2C] and, for the gradient, dy.
std::vector<Tensor> evaluate(const Case& c, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> in;
  for (const Tensor& x : inputs) in.push_back(x.cast(DType::f64));
  std::vector<Tensor> out;
  const auto zeros = [&](const Tensor& like) {
    std::ranges::fill(out.emplace_back(like.type()).as<double>(), 0.0);
  };
  const bool gradient = in.size() == 3;
  zeros(in[0]);
  if (gradient) zeros(in[1]);
  const double scale = 1.0 / std::sqrt(static_cast<double>(c.width));
  for (int64_t item = 0; item < c.batch * c.heads; ++item) {
    const auto rows = [&](Tensor& x, int64_t part = 0) {
      return rows_of(x, c, item / c.heads, item % c.heads, part);
    };
    const Rows q = rows(in[0]), k = rows(in[1]), v = rows(in[1], 1), first = rows(out[0]);
    for (int64_t i = 0; i < c.queries; ++i) {
      const std::vector<double> w = softmax(q[i], k, c);
      if (!gradient) {
        for (int64_t j = 0; j < c.keys; ++j)
          add(first[i], w[static_cast<size_t>(j)], v[j], c.width);
        continue;
      }
      const Rows dk = rows(out[1]), dv = rows(out[1], 1);
      const double* dy = rows(in[2])[i];
      double d = 0.0;
      for (int64_t j = 0; j < c.keys; ++j) d += w[static_cast<size_t>(j)] * dot(dy, v[j], c.width);
      for (int64_t j = 0; j < c.keys; ++j) {
        const double weight = w[static_cast<size_t>(j)];
        const double ds = scale * weight * (dot(dy, v[j], c.width) - d);
        add(first[i], ds, k[j], c.width);
        add(dk[j], ds, q[i], c.width);
        add(dv[j], weight, dy, c.width);
      }
    }
  }
  return out;
}

// The name of the kernel begins with `kernel`.
void expect_evaluated(const Case& c, DType dtype, double offset = 0.0,
                      const std::string& kernel = {}) {
  for (const bool gradient : {false, true}) {
    Graph graph;
    Builder b(graph);
    node_of(c, 2, dtype, gradient)(b);
    GpuRun run(graph);
    for (Tensor& input : run.inputs) {
      Tensor moved = input.cast(DType::f32);
      for (float& x : moved.as<float>()) x += static_cast<float>(offset);
      input = moved.cast(dtype);
    }
    const GpuResult got = run.kernel();
    SCOPED_TRACE(got.name);
    EXPECT_TRUE(got.name.starts_with(kernel)) << "expected " << kernel;
    const std::vector<Tensor> wanted = evaluate(c, run.inputs);
    for (size_t i = 0; i < wanted.size(); ++i)
      EXPECT_LE(relative_l2_error(got.out[i], wanted[i]), limit_of(dtype)) << "result " << i;
  }
}

TEST(CudaAttention, AgreesWithTheFormulasInTheModelsShapes) {
  for (const DType dtype : {DType::bf16, DType::f32})
    for (const Case& c : {Case{2, 11, 11, 8, 64},
                          {1, 101, 101, 2, 64},
                          {1, 8, 8, 8, 64},
                          {1, 80, 8, 2, 64},
                          {1, 800, 8, 1, 64}})
      expect_evaluated(c, dtype);
}

TEST(CudaAttention, AgreesWithTheFormulasOn800Tokens) {
#ifdef GRIMACE_CUDNN
  const char* const kernel = "cuDNN sdpa";
#else
  const char* const kernel = "attention";
#endif
  expect_evaluated({1, 800, 800, 1, 64}, DType::bf16, 0.0, kernel);
  expect_evaluated({1, 300, 330, 1, 64}, DType::f32);
}

}  // namespace
}  // namespace grimace
