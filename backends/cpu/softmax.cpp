// softmax over the last axis, y = e^(x - max) / sum, and its gradient dx = y (dy - sum(dy y)).
// Split by rows; sums are f32 in 32 partial sums; in place is allowed (a row is finished before the
// next one starts, and stays in the first-level cache meanwhile).
#include "backends/cpu/kernels.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/vector_math.h"

namespace grimace::cpu {
namespace {

inline void softmax_row(const float* x, float* y, int64_t cols) {
  const float top = lane_max(cols, [x](int64_t c) { return x[c]; });
#pragma GCC ivdep
  for (int64_t c = 0; c < cols; ++c) y[c] = fast_exp(x[c] - top);
  const float scale = 1.0f / lane_sum(cols, [y](int64_t c) { return y[c]; });
#pragma GCC ivdep
  for (int64_t c = 0; c < cols; ++c) y[c] *= scale;
}

inline void softmax_grad_row(const float* y, const float* dy, float* dx, int64_t cols) {
  const float dot = lane_sum(cols, [y, dy](int64_t c) { return y[c] * dy[c]; });
#pragma GCC ivdep
  for (int64_t c = 0; c < cols; ++c) dx[c] = y[c] * (dy[c] - dot);
}

int64_t rows_of(const Node& node) {
  const int64_t cols = node.out().shape[-1];
  return cols == 0 ? 0 : node.out().numel() / cols;
}

}  // namespace

Kernel make_softmax(const Node& node, const Operands& operands, const Context& cpu) {
  return [cpu, rows = rows_of(node), cols = node.out().shape[-1],
          x = operands.in[0].as<float>().data(), y = operands.out[0].as<float>().data()] {
    parallel_for(cpu, rows, grain_rows(cols), [=](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) softmax_row(x + row * cols, y + row * cols, cols);
    });
  };
}

Kernel make_softmax_grad(const Node& node, const Operands& operands, const Context& cpu) {
  return [cpu, rows = rows_of(node), cols = node.out().shape[-1],
          y = operands.in[0].as<float>().data(), dy = operands.in[1].as<float>().data(),
          dx = operands.out[0].as<float>().data()] {
    parallel_for(cpu, rows, grain_rows(cols), [=](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        softmax_grad_row(y + row * cols, dy + row * cols, dx + row * cols, cols);
    });
  };
}

}  // namespace grimace::cpu
