// What layer_norm and its gradient share: a row in the registers of a warp.
#pragma once

#include "backends/cuda/kernels/common.h"

namespace grimace::cuda {

// kernels/layer_norm_grad.cu: x and the sums f32, dy f32 or 16 bits.
bool serves_layer_norm_grad(const Node& node);
GpuKernel make_layer_norm_grad(const Node& node, const Operands& operands, const Context& context);

constexpr int kUnit = 4;  // neighbouring columns that a lane holds: 16 bytes of f32
constexpr int kMostUnits = 8;

inline bool fits_registers(int64_t cols) {
  return cols % kUnit == 0 && cols <= kMostUnits * kUnit * kWarp;
}

// Calls visit(std::integral_constant<int, u>{}) with the units that a lane holds of such a row.
template <typename Visit>
void with_units(int64_t cols, Visit&& visit) {
  const int64_t units = quotient_up(cols, kUnit * kWarp);
  if (units <= 1) return visit(std::integral_constant<int, 1>{});
  if (units <= 2) return visit(std::integral_constant<int, 2>{});
  if (units <= 3) return visit(std::integral_constant<int, 3>{});
  if (units <= 4) return visit(std::integral_constant<int, 4>{});
  if (units <= 6) return visit(std::integral_constant<int, 6>{});
  visit(std::integral_constant<int, kMostUnits>{});
}

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

// A lane's part of a row: unit u is columns 4 (32 u + lane) and the next three; zeros beyond the
// last column.
template <int kUnits>
struct Units {
  float v[kUnits][kUnit];

  __device__ __forceinline__ static int column(int unit, int lane) {
    return (unit * kWarp + lane) * kUnit;
  }
  template <typename T>
  __device__ __forceinline__ void load(const T* row, int cols, int lane) {
    for (int u = 0; u < kUnits; ++u) {
      if (column(u, lane) < cols)
        cuda::load<kUnit>(row + column(u, lane), v[u]);
      else
        for (int i = 0; i < kUnit; ++i) v[u][i] = 0.0f;
    }
  }
  template <typename T>
  __device__ __forceinline__ void store(T* row, int cols, int lane) const {
    for (int u = 0; u < kUnits; ++u)
      if (column(u, lane) < cols) cuda::store<kUnit>(row + column(u, lane), v[u]);
  }
};

#endif

}  // namespace grimace::cuda
