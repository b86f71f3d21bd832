// layer_norm over the last axis and its gradients. Statistics and sums are f32 in 32 partial sums
// (rows) or in blocks of rows (columns). Split by rows; dweight and dbias are summed in a fixed
// number of parts and then in order of parts, so the number of threads does not change them.
#include <cmath>

#include "backends/cpu/kernels.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"

namespace grimace::cpu {
namespace {

constexpr int64_t kParts = 16;
constexpr int64_t kBlock = 64;  // rows added up before they join a part's sum

// Y: what y is made of, f32 or bf16.
template <typename Y>
struct Forward {
  const float *x, *weight, *bias;
  Y* y;
  float *mean, *rstd;
  int64_t cols;
  float eps;

  void row(int64_t r) const {
    const float* xr = x + r * cols;
    Y* yr = y + r * cols;
    const auto count = static_cast<float>(cols);
    const float m = lane_sum(cols, [xr](int64_t c) { return xr[c]; }) / count;
    const float squares = lane_sum(cols, [xr, m](int64_t c) { return (xr[c] - m) * (xr[c] - m); });
    const float s = 1.0f / std::sqrt(squares / count + eps);
#pragma GCC ivdep
    for (int64_t c = 0; c < cols; ++c) yr[c] = Y((xr[c] - m) * s * weight[c] + bias[c]);
    mean[r] = m;
    rstd[r] = s;
  }
};

// D: what dy is made of, f32 or bf16.
template <typename D>
struct Backward {
  const D* dy;
  const float *x, *weight, *mean, *rstd;
  const float* residual;  // or null
  float* dx;
  int64_t rows, cols;

  // dx of one row; its shares of dweight and dbias are added to `sums` [2, cols].
  void row(int64_t r, float* sums) const {
    const D* gr = dy + r * cols;
    const auto g = [gr](int64_t c) { return static_cast<float>(gr[c]); };
    const float* xr = x + r * cols;
    const float* add = residual == nullptr ? nullptr : residual + r * cols;
    float* out = dx + r * cols;
    const float m = mean[r];
    const float s = rstd[r];
    const auto count = static_cast<float>(cols);
    const float* w = weight;
    const float mean_g = lane_sum(cols, [=](int64_t c) { return g(c) * w[c]; }) / count;
    const float mean_gx =
        lane_sum(cols, [=](int64_t c) { return g(c) * w[c] * ((xr[c] - m) * s); }) / count;
    float* dweight = sums;
    float* dbias = sums + cols;
#pragma GCC ivdep
    for (int64_t c = 0; c < cols; ++c) {
      const float xhat = (xr[c] - m) * s;
      out[c] = s * (g(c) * w[c] - mean_g - xhat * mean_gx) + (add != nullptr ? add[c] : 0.0f);
      dweight[c] += g(c) * xhat;
      dbias[c] += g(c);
    }
  }

  // Rows of one part; total and block are [2, cols] of scratch, the sums end in total.
  void part(int64_t begin, int64_t end, float* total, float* block) const {
    std::fill(total, total + 2 * cols, 0.0f);
    for (int64_t first = begin; first < end; first += kBlock) {
      std::fill(block, block + 2 * cols, 0.0f);
      for (int64_t r = first; r < std::min(first + kBlock, end); ++r) row(r, block);
#pragma GCC ivdep
      for (int64_t c = 0; c < 2 * cols; ++c) total[c] += block[c];
    }
  }
};

template <typename Y>
Kernel forward(const Node& node, const Operands& operands, const Context& cpu) {
  const Forward<Y> f{.x = operands.in[0].as<float>().data(),
                     .weight = operands.in[1].as<float>().data(),
                     .bias = operands.in[2].as<float>().data(),
                     .y = operands.out[0].as<Y>().data(),
                     .mean = operands.out[1].as<float>().data(),
                     .rstd = operands.out[2].as<float>().data(),
                     .cols = node.in(0).shape[-1],
                     .eps = static_cast<float>(node.real("eps"))};
  return [cpu, f, rows = node.out(1).numel()] {
    parallel_for(cpu, rows, grain_rows(f.cols), [f](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) f.row(r);
    });
  };
}

template <typename D>
Kernel backward(const Node& node, const Operands& operands, const Context& cpu) {
  const Backward<D> g{
      .dy = operands.in[0].as<D>().data(),
      .x = operands.in[1].as<float>().data(),
      .weight = operands.in[2].as<float>().data(),
      .mean = operands.in[3].as<float>().data(),
      .rstd = operands.in[4].as<float>().data(),
      .residual = operands.in.size() == 6 ? operands.in[5].as<float>().data() : nullptr,
      .dx = operands.out[0].as<float>().data(),
      .rows = node.in(3).numel(),
      .cols = node.in(1).shape[-1]};
  const int64_t parts = std::clamp<int64_t>(g.rows / kBlock, 1, kParts);
  // Each part has 4 * cols floats: its sums, then its block. The workspace may still grow.
  cpu.workspace->reserve(parts * 4 * g.cols * size_of(DType::f32));
  return [cpu, g, parts, dweight = operands.out[1].as<float>().data(),
          dbias = operands.out[2].as<float>().data()] {
    auto* scratch = cpu.workspace->as<float>();
    parallel_for(cpu, parts, 1, [=](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        float* total = scratch + p * 4 * g.cols;
        g.part(g.rows * p / parts, g.rows * (p + 1) / parts, total, total + 2 * g.cols);
      }
    });
    vectorised(cpu.isa, [=] {
      std::fill(dweight, dweight + g.cols, 0.0f);
      std::fill(dbias, dbias + g.cols, 0.0f);
      for (int64_t p = 0; p < parts; ++p) {
        const float* total = scratch + p * 4 * g.cols;
#pragma GCC ivdep
        for (int64_t c = 0; c < g.cols; ++c) {
          dweight[c] += total[c];
          dbias[c] += total[g.cols + c];
        }
      }
    });
  };
}

}  // namespace

Kernel make_layer_norm(const Node& node, const Operands& operands, const Context& cpu) {
  return node.out().dtype == DType::f32 ? forward<float>(node, operands, cpu)
                                        : forward<bf16>(node, operands, cpu);
}
Kernel make_layer_norm_grad(const Node& node, const Operands& operands, const Context& cpu) {
  return node.in(0).dtype == DType::f32 ? backward<float>(node, operands, cpu)
                                        : backward<bf16>(node, operands, cpu);
}

}  // namespace grimace::cpu
