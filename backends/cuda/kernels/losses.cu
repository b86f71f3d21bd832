// cross_entropy, loss[b] = -sum_c target[b,c] (z[b,c] - max - log sum e^(z - max)), a warp for each
// row, and mean_squared_error over everything, whose blocks leave their sums in the workspace for a
// last block to add. f32, bf16 or f16, computed and summed in f32, in a fixed order.
// The losses of masked cubes are in reconstruction.cu.
#include <cmath>

#include "backends/cuda/kernels/reconstruction.h"
#include "backends/cuda/kernels/rows.h"

namespace grimace::cuda {
namespace {

template <typename T>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_rows(const T* __restrict__ logits, const T* __restrict__ target,
                       T* __restrict__ loss, int64_t rows, int64_t cols) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t row = int64_t{blockIdx.x} * (kThreads / kWarp) + threadIdx.x / kWarp;
  if (row >= rows) return;  // a whole warp
  const T* z = logits + row * cols;
  float top = -INFINITY;
  for (int64_t c = lane; c < cols; c += kWarp) top = fmaxf(top, to_float(z[c]));
  top = warp_max(top);
  float sum = 0.0f;
  for (int64_t c = lane; c < cols; c += kWarp) sum += expf(to_float(z[c]) - top);
  const float log_sum = logf(warp_sum(sum));
  float total = 0.0f;
  for (int64_t c = lane; c < cols; c += kWarp)
    total += to_float(target[row * cols + c]) * (to_float(z[c]) - top - log_sum);
  total = warp_sum(total);
  if (lane == 0) loss[row] = from_float<T>(-total);
}

template <typename T>
GpuKernel cross_entropy(const Node& node, const Operands& operands) {
  const int64_t rows = node.in(0).shape[0];
  const int64_t cols = node.in(0).shape[1];
  const Geometry geometry{.grid = {blocks_for_all(rows, kThreads / kWarp)}, .block = {kThreads}};
  return {.name = cat("cross_entropy ", name_of(node.in(0).dtype), ", ", cols, " classes, ",
                      to_string(geometry)),
          .run = [=, logits = address<T>(operands.in[0]), target = address<T>(operands.in[1]),
                  loss = address<T>(operands.out[0])](cudaStream_t stream) {
            launch(cross_entropy_rows<T>, geometry, stream, logits, target, loss, rows, cols);
          }};
}

// Every block takes one chunk of a multiple of N elements; the last one may be short.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads)
    squared_errors(const T* __restrict__ pred, const T* __restrict__ target, int64_t count,
                   int64_t chunk, float* __restrict__ sums) {
  __shared__ float scratch[kWarp];
  const int64_t begin = int64_t{blockIdx.x} * chunk;
  const int64_t end = begin + chunk < count ? begin + chunk : count;
  float sum[N] = {};
  for (int64_t i = begin + static_cast<int64_t>(threadIdx.x) * N; i < end; i += kThreads * N) {
    float p[N];
    float t[N];
    load<N>(pred + i, p);
    load<N>(target + i, t);
    for (int n = 0; n < N; ++n) sum[n] += (p[n] - t[n]) * (p[n] - t[n]);
  }
  float total = 0.0f;
  for (int n = 0; n < N; ++n) total += sum[n];
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

template <typename T>
GpuKernel mean_squared_error(const Node& node, const Operands& operands, const Context& context) {
  constexpr int kPack = 16 / sizeof(T);
  const int64_t count = node.in(0).numel();
  const bool packed = count % kPack == 0;
  const int64_t wanted = int64_t{8} * context.properties.multiprocessors;
  const int64_t chunk =
      quotient_up(quotient_up(count, blocks_for(count, 4 * kThreads, wanted)), kPack) * kPack;
  const Geometry geometry{.grid = {blocks_for(count, chunk)}, .block = {kThreads}};
  const auto share = static_cast<float>(1.0 / static_cast<double>(count));
  context.workspace->reserve(int64_t{geometry.grid.x} * size_of(DType::f32));
  return {.name = cat("mean_squared_error ", name_of(node.in(0).dtype), ", packs of ",
                      packed ? kPack : 1, ", ", to_string(geometry)),
          .run = [=, workspace = context.workspace, pred = address<T>(operands.in[0]),
                  target = address<T>(operands.in[1]),
                  loss = address<T>(operands.out[0])](cudaStream_t stream) {
            auto* sums = workspace->template as<float>();
            if (packed)
              launch(squared_errors<T, kPack>, geometry, stream, pred, target, count, chunk, sums);
            else
              launch(squared_errors<T, 1>, geometry, stream, pred, target, count, chunk, sums);
            launch(scaled_sum<T>, {.block = {1024}}, stream, sums, geometry.grid.x, share, loss);
          }};
}

bool is_reconstruction(const Node& node) {
  return node.is(op_reconstruction_target) || node.is(op_reconstruction_loss);
}

}  // namespace

bool serves_loss(const Node& node) {
  return is_reconstruction(node) ? serves_reconstruction(node) : is_gpu_float(node.in(0).dtype);
}

GpuKernel make_loss(const Node& node, const Operands& operands, const Context& context) {
  if (is_reconstruction(node)) return make_reconstruction(node, operands, context);
  if (node.out().numel() == 0) return nothing();
  return with_float(node.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    return node.is(op_cross_entropy) ? cross_entropy<T>(node, operands)
                                     : mean_squared_error<T>(node, operands, context);
  });
}

}  // namespace grimace::cuda
