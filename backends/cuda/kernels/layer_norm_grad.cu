// Gradients of layer_norm: with xhat = (x - mean) rstd and g = dy weight,
//   dx = rstd (g - mean_c(g) - xhat mean_c(g xhat)) + residual
//   dweight = sum over rows of dy xhat,  dbias = sum over rows of dy
// x, the results and all sums are f32, dy f32 or 16 bits. Every block leaves its share of dweight
// and dbias in the workspace, [blocks, 2, cols]; a second launch adds them in a fixed order.
//   up to 1024 columns, a multiple of 4: a warp for each row, all in registers; a warp sums over
//                       its rows, then the block over its warps
//   otherwise:          dx by a block for each row, the shares by a thread for each column
#include <cmath>

#include "backends/cuda/kernels/layer_norm.h"
#include "backends/cuda/kernels/rows.h"

namespace grimace::cuda {
namespace {

constexpr int kRowThreads = 128;  // of blocks whose warps have rows: they hold many registers
constexpr int kWarps = kRowThreads / kWarp;
constexpr int kFinishWidth = 8;       // columns of a block that adds up the shares
constexpr int kColumnsWidth = kWarp;  // columns of a block that makes shares of rows of any length

template <typename D>
struct LayerNormGrad {
  const D* dy;
  const float *x, *weight, *mean, *rstd;
  const float* residual;  // or null
  float *dx, *dweight, *dbias;
  int64_t rows, cols;
};

// What one row, if there is such, adds to dweight and dbias, and its dx.
template <typename D, int kUnits>
__device__ __forceinline__ void grad_row(const LayerNormGrad<D>& a, int64_t row, int lane,
                                         const Units<kUnits>& weight, Units<kUnits>& dweight,
                                         Units<kUnits>& dbias) {
  const bool mine = row < a.rows;
  const int cols = mine ? static_cast<int>(a.cols) : 0;
  const float share = 1.0f / static_cast<float>(a.cols);
  Units<kUnits> dy, x;
  dy.load(a.dy + row * a.cols, cols, lane);
  x.load(a.x + row * a.cols, cols, lane);
  const float mean = mine ? a.mean[row] : 0.0f;
  const float rstd = mine ? a.rstd[row] : 0.0f;
  float sum_g = 0.0f;
  float sum_gx = 0.0f;
  for (int u = 0; u < kUnits; ++u)
    for (int i = 0; i < kUnit; ++i) {
      const float xhat = (x.v[u][i] - mean) * rstd;
      x.v[u][i] = xhat;
      dweight.v[u][i] += dy.v[u][i] * xhat;
      dbias.v[u][i] += dy.v[u][i];
      dy.v[u][i] *= weight.v[u][i];
      sum_g += dy.v[u][i];
      if (Units<kUnits>::column(u, lane) < cols) sum_gx += dy.v[u][i] * xhat;
    }
  const float mean_g = warp_sum(sum_g) * share;
  const float mean_gx = warp_sum(sum_gx) * share;
  for (int u = 0; u < kUnits; ++u)
    for (int i = 0; i < kUnit; ++i) dy.v[u][i] = rstd * (dy.v[u][i] - mean_g - x.v[u][i] * mean_gx);
  if (a.residual != nullptr) {
    x.load(a.residual + row * a.cols, cols, lane);
    for (int u = 0; u < kUnits; ++u)
      for (int i = 0; i < kUnit; ++i) dy.v[u][i] += x.v[u][i];
  }
  dy.store(a.dx + row * a.cols, cols, lane);
}

template <typename D, int kUnits>
__global__ void __launch_bounds__(kRowThreads) grad_rows(LayerNormGrad<D> a, float* shares) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const auto cols = static_cast<int>(a.cols);
  Units<kUnits> weight;
  weight.load(a.weight, cols, lane);
  Units<kUnits> dweight = {};
  Units<kUnits> dbias = {};
  // By blocks, so that the compiler sees that warps stay whole.
  for (int64_t first = int64_t{blockIdx.x} * kWarps; first < a.rows;
       first += int64_t{gridDim.x} * kWarps)
    grad_row<D, kUnits>(a, first + warp, lane, weight, dweight, dbias);

  float* sums = dynamic_shared<float>();  // [warps, 2, cols]
  dweight.store(sums + warp * 2 * cols, cols, lane);
  dbias.store(sums + warp * 2 * cols + cols, cols, lane);
  __syncthreads();
  for (int c = static_cast<int>(threadIdx.x); c < 2 * cols; c += kRowThreads) {
    float sum = sums[c];
    for (int w = 1; w < kWarps; ++w) sum += sums[w * 2 * cols + c];
    shares[int64_t{blockIdx.x} * 2 * cols + c] = sum;
  }
}

template <typename D>
__global__ void __launch_bounds__(kThreads) grad_long_rows(LayerNormGrad<D> a) {
  __shared__ float scratch[kWarp];
  const int64_t row = blockIdx.x;
  const int64_t first = row * a.cols;
  const float mean = a.mean[row];
  const float rstd = a.rstd[row];
  float sum_g = 0.0f;
  float sum_gx = 0.0f;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) {
    const float g = to_float(a.dy[first + c]) * a.weight[c];
    sum_g += g;
    sum_gx += g * ((a.x[first + c] - mean) * rstd);
  }
  const float share = 1.0f / static_cast<float>(a.cols);
  const float mean_g = block_sum(sum_g, scratch) * share;
  const float mean_gx = block_sum(sum_gx, scratch) * share;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) {
    const float g = to_float(a.dy[first + c]) * a.weight[c];
    const float xhat = (a.x[first + c] - mean) * rstd;
    const float dx = rstd * (g - mean_g - xhat * mean_gx);
    a.dx[first + c] = a.residual == nullptr ? dx : dx + a.residual[first + c];
  }
}

// The shares of rows of any length: grid [parts, tiles of columns].
template <typename D>
__global__ void __launch_bounds__(kThreads)
    grad_columns(LayerNormGrad<D> a, float* shares, int64_t chunk) {
  __shared__ float shared[2 * kThreads];
  const int64_t column =
      int64_t{blockIdx.x} * kColumnsWidth + static_cast<int>(threadIdx.x) % kColumnsWidth;
  const int64_t begin = int64_t{blockIdx.y} * chunk;
  const int64_t end = begin + chunk < a.rows ? begin + chunk : a.rows;
  float sum[2] = {};
  if (column < a.cols)
    for (int64_t r = begin + threadIdx.x / kColumnsWidth; r < end; r += kThreads / kColumnsWidth) {
      const float dy = to_float(a.dy[r * a.cols + column]);
      sum[0] += dy * ((a.x[r * a.cols + column] - a.mean[r]) * a.rstd[r]);
      sum[1] += dy;
    }
  sum_columns<2>(sum, kColumnsWidth, shared);
  if (threadIdx.x >= kColumnsWidth || column >= a.cols) return;
  shares[int64_t{blockIdx.y} * 2 * a.cols + column] = sum[0];
  shares[(int64_t{blockIdx.y} * 2 + 1) * a.cols + column] = sum[1];
}

__global__ void __launch_bounds__(kThreads)
    finish_shares(const float* shares, int64_t count, int64_t cols, float* dweight, float* dbias) {
  __shared__ float shared[kThreads];
  constexpr int kSlots = kThreads / kFinishWidth;
  const int64_t column =
      int64_t{blockIdx.x} * kFinishWidth + static_cast<int>(threadIdx.x) % kFinishWidth;
  const int64_t first = threadIdx.x / kFinishWidth;
  float sum[1] = {};
  if (column < 2 * cols) add_strided<1>(shares + column, first, count, kSlots, 2 * cols, sum);
  sum_columns<1>(sum, kFinishWidth, shared);
  if (threadIdx.x >= kFinishWidth || column >= 2 * cols) return;
  if (column < cols)
    dweight[column] = sum[0];
  else
    dbias[column - cols] = sum[0];
}

template <typename D>
LayerNormGrad<D> arguments(const Node& node, const Operands& operands) {
  return {.dy = address<D>(operands.in[0]),
          .x = address<float>(operands.in[1]),
          .weight = address<float>(operands.in[2]),
          .mean = address<float>(operands.in[3]),
          .rstd = address<float>(operands.in[4]),
          .residual = operands.in.size() == 6 ? address<float>(operands.in[5]) : nullptr,
          .dx = address<float>(operands.out[0]),
          .dweight = address<float>(operands.out[1]),
          .dbias = address<float>(operands.out[2]),
          .rows = node.in(3).numel(),
          .cols = node.in(1).shape[-1]};
}

template <typename D>
void launch_long_rows(const LayerNormGrad<D>& a, float* shares, unsigned parts,
                      cudaStream_t stream) {
  const Geometry rows{.grid = {blocks_for_all(a.rows, 1)}, .block = {kThreads}};
  if (a.rows > 0) launch(grad_long_rows<D>, rows, stream, a);
  const Geometry columns{.grid = {blocks_for_all(a.cols, kColumnsWidth), parts},
                         .block = {kThreads}};
  launch(grad_columns<D>, columns, stream, a, shares, quotient_up(a.rows, parts));
}

template <typename D>
GpuKernel layer_norm_grad(const Node& node, const Operands& operands, const Context& context) {
  const LayerNormGrad<D> a = arguments<D>(node, operands);
  const bool in_registers = fits_registers(a.cols);
  const int64_t resident = int64_t{4} * context.properties.multiprocessors;
  const unsigned parts = blocks_for(a.rows, in_registers ? 2 * kWarps : 64, resident);
  Geometry geometry{.grid = {parts}, .block = {kRowThreads}};
  geometry.shared_bytes = static_cast<unsigned>(kWarps * 2 * a.cols * size_of(DType::f32));
  context.workspace->reserve(int64_t{parts} * 2 * a.cols * size_of(DType::f32));
  GpuKernel kernel;
  kernel.name = cat("layer_norm_grad ", name_of(node.in(0).dtype), ", rows of ", a.cols,
                    a.residual == nullptr ? "" : ", residual",
                    in_registers ? ", in registers, " : ", in passes, ", parts, " shares");
  kernel.run = [=, workspace = context.workspace](cudaStream_t stream) {
    auto* shares = workspace->as<float>();
    if (in_registers)
      with_units(a.cols, [&](auto units) {
        launch(grad_rows<D, decltype(units)::value>, geometry, stream, a, shares);
      });
    else
      launch_long_rows(a, shares, parts, stream);
    const Geometry finish{.grid = {blocks_for_all(2 * a.cols, kFinishWidth)}, .block = {kThreads}};
    launch(finish_shares, finish, stream, shares, parts, a.cols, a.dweight, a.dbias);
  };
  return kernel;
}

}  // namespace

bool serves_layer_norm_grad(const Node& node) {
  return is_gpu_float(node.in(0).dtype) && node.in(1).dtype == DType::f32;
}

GpuKernel make_layer_norm_grad(const Node& node, const Operands& operands, const Context& context) {
  return with_float(node.in(0).dtype, [&](auto zero) {
    return layer_norm_grad<decltype(zero)>(node, operands, context);
  });
}

}  // namespace grimace::cuda
