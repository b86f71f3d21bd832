// softmax over the last axis, y = e^(x - max) / sum, and its gradient dx = y (dy - sum(dy y)), of
// f32, bf16 or f16, computed in f32. In place is allowed: who writes an element has read it.
//   up to 1024 columns: a row in the registers of the lanes of one warp, several rows to a warp
//                       where they have 16 columns or less
//   more columns:       a block for each row, which is read again for every sum
#include <cmath>

#include "backends/cuda/kernels/common.h"

namespace grimace::cuda {
namespace {

constexpr int64_t kLongRow = 1024;

template <typename T>
struct Softmax {
  const T* x;
  T* y;
  int64_t rows, cols;
};
template <typename T>
struct SoftmaxGrad {
  const T* y;
  const T* dy;
  T* dx;
  int64_t rows, cols;
};

template <typename T, int kElements>
__global__ void __launch_bounds__(kThreads) softmax_rows(Softmax<T> a, int lanes) {
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int64_t row = int64_t{blockIdx.x} * (kThreads / lanes) + threadIdx.x / lanes;
  const int64_t cols = row < a.rows ? a.cols : 0;
  float v[kElements];
  float top = -INFINITY;
  for (int k = 0; k < kElements; ++k) {
    const int c = lane + k * lanes;
    v[k] = c < cols ? to_float(a.x[row * cols + c]) : -INFINITY;
    top = fmaxf(top, v[k]);
  }
  top = warp_max(top, lanes);
  float sum = 0.0f;
  for (int k = 0; k < kElements; ++k) {
    v[k] = expf(v[k] - top);
    sum += v[k];
  }
  const float scale = 1.0f / warp_sum(sum, lanes);
  for (int k = 0; k < kElements; ++k) {
    const int c = lane + k * lanes;
    if (c < cols) a.y[row * cols + c] = from_float<T>(v[k] * scale);
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) softmax_long_rows(Softmax<T> a) {
  __shared__ float scratch[kWarp];
  const T* x = a.x + int64_t{blockIdx.x} * a.cols;
  T* y = a.y + int64_t{blockIdx.x} * a.cols;
  float top = -INFINITY;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) top = fmaxf(top, to_float(x[c]));
  top = block_max(top, scratch);
  float sum = 0.0f;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) sum += expf(to_float(x[c]) - top);
  const float scale = 1.0f / block_sum(sum, scratch);
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads)
    y[c] = from_float<T>(expf(to_float(x[c]) - top) * scale);
}

template <typename T, int kElements>
__global__ void __launch_bounds__(kThreads) softmax_grad_rows(SoftmaxGrad<T> a, int lanes) {
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int64_t row = int64_t{blockIdx.x} * (kThreads / lanes) + threadIdx.x / lanes;
  const int64_t cols = row < a.rows ? a.cols : 0;
  float y[kElements];
  float dy[kElements];
  float dot = 0.0f;
  for (int k = 0; k < kElements; ++k) {
    const int c = lane + k * lanes;
    y[k] = c < cols ? to_float(a.y[row * cols + c]) : 0.0f;
    dy[k] = c < cols ? to_float(a.dy[row * cols + c]) : 0.0f;
    dot += dy[k] * y[k];
  }
  dot = warp_sum(dot, lanes);
  for (int k = 0; k < kElements; ++k) {
    const int c = lane + k * lanes;
    if (c < cols) a.dx[row * cols + c] = from_float<T>(y[k] * (dy[k] - dot));
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) softmax_grad_long_rows(SoftmaxGrad<T> a) {
  __shared__ float scratch[kWarp];
  const int64_t first = int64_t{blockIdx.x} * a.cols;
  float dot = 0.0f;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads)
    dot += to_float(a.dy[first + c]) * to_float(a.y[first + c]);
  dot = block_sum(dot, scratch);
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) {
    const float y = to_float(a.y[first + c]);
    a.dx[first + c] = from_float<T>(y * (to_float(a.dy[first + c]) - dot));
  }
}

// Calls visit(std::integral_constant<int, k>{}) with the elements each lane holds of a row.
template <typename Visit>
void with_elements(int64_t cols, Visit&& visit) {
  if (cols <= kWarp) return visit(std::integral_constant<int, 1>{});
  if (cols <= 4 * kWarp) return visit(std::integral_constant<int, 4>{});
  if (cols <= 12 * kWarp) return visit(std::integral_constant<int, 12>{});
  visit(std::integral_constant<int, 32>{});
}

struct Split {
  bool in_registers = false;
  int lanes = kWarp;
  Geometry geometry;
};

Split split_rows(int64_t rows, int64_t cols) {
  Split split;
  split.in_registers = cols <= kLongRow;
  split.lanes = power_of_two(cols, kWarp);
  const int64_t rows_a_block = split.in_registers ? kThreads / split.lanes : 1;
  split.geometry = {.grid = {blocks_for_all(rows, rows_a_block)}, .block = {kThreads}};
  return split;
}

std::string name_of_split(const Node& node, const Split& split) {
  const char* how = split.in_registers ? ", in registers, " : ", in passes, ";
  return cat(node.op_name(), " ", name_of(node.out().dtype), ", rows of ", node.out().shape[-1],
             how, to_string(split.geometry));
}

template <typename T>
GpuKernel softmax(const Node& node, const Operands& operands, const Split& split) {
  const int64_t cols = node.out().shape[-1];
  const Softmax<T> a{.x = address<T>(operands.in[0]),
                     .y = address<T>(operands.out[0]),
                     .rows = node.out().numel() / cols,
                     .cols = cols};
  const auto run = [a, split](cudaStream_t stream) {
    if (!split.in_registers) return launch(softmax_long_rows<T>, split.geometry, stream, a);
    with_elements(a.cols, [&](auto elements) {
      launch(softmax_rows<T, decltype(elements)::value>, split.geometry, stream, a, split.lanes);
    });
  };
  return {.name = name_of_split(node, split), .run = run};
}

template <typename T>
GpuKernel softmax_grad(const Node& node, const Operands& operands, const Split& split) {
  const int64_t cols = node.out().shape[-1];
  const SoftmaxGrad<T> a{.y = address<T>(operands.in[0]),
                         .dy = address<T>(operands.in[1]),
                         .dx = address<T>(operands.out[0]),
                         .rows = node.out().numel() / cols,
                         .cols = cols};
  const auto run = [a, split](cudaStream_t stream) {
    if (!split.in_registers) return launch(softmax_grad_long_rows<T>, split.geometry, stream, a);
    with_elements(a.cols, [&](auto elements) {
      launch(softmax_grad_rows<T, decltype(elements)::value>, split.geometry, stream, a,
             split.lanes);
    });
  };
  return {.name = name_of_split(node, split), .run = run};
}

}  // namespace

bool serves_softmax(const Node& node) {
  return is_gpu_float(node.out().dtype);
}

GpuKernel make_softmax(const Node& node, const Operands& operands, const Context&) {
  if (node.out().numel() == 0) return nothing();
  const int64_t cols = node.out().shape[-1];
  const Split split = split_rows(node.out().numel() / cols, cols);
  return with_float(node.out().dtype, [&](auto zero) {
    using T = decltype(zero);
    return node.is(op_softmax) ? softmax<T>(node, operands, split)
                               : softmax_grad<T>(node, operands, split);
  });
}

}  // namespace grimace::cuda
