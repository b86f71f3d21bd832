// layer_norm over the last axis, y = (x - mean) rstd weight + bias, with mean and rstd as results;
// x f32 and y f32 or 16 bits, or all of one 16-bit type. Statistics are f32, the mean first and
// then the squares about it. The gradients are in layer_norm_grad.cu.
//   up to 1024 columns, a multiple of 4: a warp for each row, which stays in registers between its
//                       passes; lanes hold units of 4 columns, weight and bias are read once
//   otherwise:          a block for each row, which is read again for every pass
#include <cmath>

#include "backends/cuda/kernels/layer_norm.h"

namespace grimace::cuda {
namespace {

// T: of x, weight, bias and the statistics; Y: of y.
template <typename T, typename Y>
struct LayerNorm {
  const T *x, *weight, *bias;
  Y* y;
  T *mean, *rstd;
  int64_t rows, cols;
  float eps;
};

template <typename T, typename Y, int kUnits>
__global__ void __launch_bounds__(kThreads) layer_norm_rows(LayerNorm<T, Y> a) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto cols = static_cast<int>(a.cols);
  const float share = 1.0f / static_cast<float>(cols);
  Units<kUnits> weight, bias;
  weight.load(a.weight, cols, lane);
  bias.load(a.bias, cols, lane);
  const int64_t step = int64_t{gridDim.x} * (kThreads / kWarp);
  // By blocks, so that the compiler sees that warps stay whole.
  for (int64_t first = int64_t{blockIdx.x} * (kThreads / kWarp); first < a.rows; first += step) {
    const int64_t row = first + threadIdx.x / kWarp;
    const bool mine = row < a.rows;
    Units<kUnits> x;
    x.load(a.x + row * cols, mine ? cols : 0, lane);
    float sum = 0.0f;
    for (int u = 0; u < kUnits; ++u)
      for (int i = 0; i < 4; ++i) sum += x.v[u][i];
    const float mean = warp_sum(sum) * share;
    float squares = 0.0f;
    for (int u = 0; u < kUnits; ++u)
      for (int i = 0; i < 4; ++i) {
        x.v[u][i] -= mean;
        if (x.column(u, lane) < cols) squares += x.v[u][i] * x.v[u][i];
      }
    const float rstd = 1.0f / sqrtf(warp_sum(squares) * share + a.eps);
    for (int u = 0; u < kUnits; ++u)
      for (int i = 0; i < 4; ++i) x.v[u][i] = x.v[u][i] * rstd * weight.v[u][i] + bias.v[u][i];
    x.store(a.y + row * cols, mine ? cols : 0, lane);
    if (mine && lane == 0) {
      a.mean[row] = from_float<T>(mean);
      a.rstd[row] = from_float<T>(rstd);
    }
  }
}

template <typename T, typename Y>
__global__ void __launch_bounds__(kThreads) layer_norm_long_rows(LayerNorm<T, Y> a) {
  __shared__ float scratch[kWarp];
  const int64_t row = blockIdx.x;
  const T* x = a.x + row * a.cols;
  const auto count = static_cast<float>(a.cols);
  float sum = 0.0f;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) sum += to_float(x[c]);
  const float mean = block_sum(sum, scratch) / count;
  float squares = 0.0f;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) {
    const float centred = to_float(x[c]) - mean;
    squares += centred * centred;
  }
  const float rstd = 1.0f / sqrtf(block_sum(squares, scratch) / count + a.eps);
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads)
    a.y[row * a.cols + c] =
        from_float<Y>((to_float(x[c]) - mean) * rstd * to_float(a.weight[c]) + to_float(a.bias[c]));
  if (threadIdx.x == 0) {
    a.mean[row] = from_float<T>(mean);
    a.rstd[row] = from_float<T>(rstd);
  }
}

template <typename T, typename Y>
GpuKernel layer_norm(const Node& node, const Operands& operands, const Context& context) {
  const LayerNorm<T, Y> a{.x = address<T>(operands.in[0]),
                          .weight = address<T>(operands.in[1]),
                          .bias = address<T>(operands.in[2]),
                          .y = address<Y>(operands.out[0]),
                          .mean = address<T>(operands.out[1]),
                          .rstd = address<T>(operands.out[2]),
                          .rows = node.out(1).numel(),
                          .cols = node.in(0).shape[-1],
                          .eps = static_cast<float>(node.real("eps"))};
  const bool in_registers = std::is_same_v<T, float> && fits_registers(a.cols);
  const int64_t resident = int64_t{4} * context.properties.multiprocessors;
  const Geometry geometry{.grid = {in_registers ? blocks_for(a.rows, kThreads / kWarp, resident)
                                                : blocks_for_all(a.rows, 1)},
                          .block = {kThreads}};
  const char* how = in_registers ? ", in registers, " : ", in passes, ";
  GpuKernel kernel;
  kernel.name = cat("layer_norm ", name_of(node.in(0).dtype), " to ", name_of(node.out().dtype),
                    ", rows of ", a.cols, how, to_string(geometry));
  kernel.run = [=](cudaStream_t stream) {
    if constexpr (std::is_same_v<T, float>)
      if (in_registers)
        return with_units(a.cols, [&](auto units) {
          launch(layer_norm_rows<T, Y, decltype(units)::value>, geometry, stream, a);
        });
    launch(layer_norm_long_rows<T, Y>, geometry, stream, a);
  };
  return kernel;
}

}  // namespace

bool serves_layer_norm(const Node& node) {
  if (node.is(op_layer_norm_grad)) return serves_layer_norm_grad(node);
  const DType x = node.in(0).dtype;
  return is_gpu_float(x) && is_gpu_float(node.out().dtype) &&
         (x == DType::f32 || x == node.out().dtype);
}

GpuKernel make_layer_norm(const Node& node, const Operands& operands, const Context& context) {
  if (node.is(op_layer_norm_grad)) return make_layer_norm_grad(node, operands, context);
  if (node.out().numel() == 0) return nothing();
  return with_float(node.out().dtype, [&](auto zero) {
    using Y = decltype(zero);
    return node.in(0).dtype == DType::f32 ? layer_norm<float, Y>(node, operands, context)
                                          : layer_norm<Y, Y>(node, operands, context);
  });
}

}  // namespace grimace::cuda
