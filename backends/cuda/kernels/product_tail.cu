// y[i][j] = gelu(y[i][j] + bias[j]) + residual[i][j], in place, on a dense row-major [rows,cols];
// gelu(v) = v/2 (1 + erf(v/sqrt(2))).
// Parallel over 16 bytes of y per thread and step (one element where rows do not divide into such
// pieces); threads go on by the size of the grid. Computed in f32, rounded once on the way out.
#include "backends/cuda/kernels/product_tail.h"

#include "backends/cuda/kernels/common.h"

namespace grimace::cuda {
namespace {

constexpr int kBlocksPerMultiprocessor = 6;  // all at once, with up to 42 registers a thread

// Element numbers count packs of `width`; `step` is the number of threads, and `col_step` how far a
// thread moves in its row with each step, so that the loop needs no division.
struct TailArguments {
  int64_t packs, cols, step, col_step;
  bool product, add_bias, gelu, add_residual;
  const float* bias;
  const float* residual;
};

__device__ __forceinline__ float exact_gelu(float v) {
  return 0.5f * v * (1.0f + erff(v * 0.70710678118654752440f));
}

template <typename T, int width>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    product_tail(T* y, TailArguments a) {
  int64_t pack = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  int64_t col = pack * width % a.cols;
  for (; pack < a.packs; pack += a.step) {
    float v[width] = {};
    if (a.product) load<width>(y + pack * width, v);
    if (a.add_bias) {
      float bias[width];
      load<width>(a.bias + col, bias);
      for (int i = 0; i < width; ++i) v[i] += bias[i];
    }
    if (a.gelu)
      for (int i = 0; i < width; ++i) v[i] = exact_gelu(v[i]);
    if (a.add_residual) {
      float residual[width];
      load<width>(a.residual + pack * width, residual);
      for (int i = 0; i < width; ++i) v[i] += residual[i];
    }
    store<width>(y + pack * width, v);
    col += a.col_step;
    if (col >= a.cols) col -= a.cols;
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    round_vector(const float* values, int64_t count, T* out) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) out[i] = from_float<T>(values[i]);
}

int64_t elements_at_once(const ProductTail& t) {
  const int64_t width = 16 / size_of(t.dtype);
  return t.cols % width == 0 ? width : 1;
}

Geometry geometry_of(const ProductTail& t) {
  const int64_t most = int64_t{t.multiprocessors} * kBlocksPerMultiprocessor;
  const int64_t packs = t.rows * t.cols / elements_at_once(t);
  return {dim3(blocks_for(packs, kThreads, most)), dim3(kThreads)};
}

template <typename T, int width>
void launch_as(const ProductTail& t, cudaStream_t stream) {
  const Geometry geometry = geometry_of(t);
  const int64_t step = int64_t{geometry.grid.x} * kThreads;
  const TailArguments arguments{.packs = t.rows * t.cols / width,
                                .cols = t.cols,
                                .step = step,
                                .col_step = step * width % t.cols,
                                .product = t.product,
                                .add_bias = t.add_bias,
                                .gelu = t.gelu,
                                .add_residual = t.add_residual,
                                .bias = t.bias,
                                .residual = t.residual};
  launch(product_tail<T, width>, geometry, stream, static_cast<T*>(t.y), arguments);
}

template <typename T>
void launch_for(const ProductTail& t, cudaStream_t stream) {
  constexpr int width = 16 / sizeof(T);
  elements_at_once(t) == width ? launch_as<T, width>(t, stream) : launch_as<T, 1>(t, stream);
}

}  // namespace

std::string to_string(const ProductTail& t) {
  std::string text;
  const auto add = [&](bool has, const char* part) {
    if (has) text += (text.empty() ? "" : " + ") + std::string(part);
  };
  add(!t.product, "zeros");
  add(t.add_bias, "bias");
  add(t.gelu, "gelu");
  add(t.add_residual, "residual");
  return cat(text, ", ", to_string(geometry_of(t)));
}

void launch_product_tail(const ProductTail& t, cudaStream_t stream) {
  if (t.rows * t.cols == 0 || t.empty()) return;
  with_float(t.dtype, [&](auto zero) { launch_for<decltype(zero)>(t, stream); });
}

void launch_round(const float* values, int64_t count, DType to, void* out, cudaStream_t stream) {
  const Geometry geometry{dim3(blocks_for_all(count, kThreads)), dim3(kThreads)};
  internal_check(to == DType::bf16 || to == DType::f16, "rounding to ", name_of(to));
  if (count == 0) return;
  if (to == DType::bf16)
    launch(round_vector<Bf16>, geometry, stream, values, count, static_cast<Bf16*>(out));
  else
    launch(round_vector<F16>, geometry, stream, values, count, static_cast<F16*>(out));
}

}  // namespace grimace::cuda
