// Attention in FMAs of f32, what forward (attention.cu) and gradient (attention_grad.cu) share:
// operands of any float type are widened to f32 in shared memory. A block of 16 x 16 threads has a
// tile of 16 RQ queries and one of 16 RK keys of one head; a thread computes RQ x RK scores, and of
// its result rows the columns 4 x + 64 c .. + 3 for c < C.
#pragma once

#include "backends/cuda/attention.h"
#include "backends/cuda/kernels/common.h"

namespace grimace::cuda::attention_fma {

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

constexpr int kSide = 16;  // threads along either side of a tile

struct Place {
  int x, y;
  __device__ Place()
      : x(static_cast<int>(threadIdx.x) % kSide), y(static_cast<int>(threadIdx.x) / kSide) {}
};

// Floats between rows in shared memory: whole float4, an odd number of them against conflicts.
__host__ __device__ __forceinline__ int pitch_of(int width) {
  return ((width + 3) / 4 | 1) * 4;
}

// Four elements as floats; `whole` says that all exist and are aligned together.
__device__ __forceinline__ float4 load_4(const float* from, int count, bool whole) {
  if (whole) return *reinterpret_cast<const float4*>(from);
  return make_float4(from[0], count > 1 ? from[1] : 0.0f, count > 2 ? from[2] : 0.0f,
                     count > 3 ? from[3] : 0.0f);
}
template <typename T>
__device__ __forceinline__ float4 load_4(const T* from, int count, bool) {
  return make_float4(to_float(from[0]), count > 1 ? to_float(from[1]) : 0.0f,
                     count > 2 ? to_float(from[2]) : 0.0f, count > 3 ? to_float(from[3]) : 0.0f);
}

// Rows [first, first + tile) of a head; zeros where it has none, and up to whole float4.
template <typename T>
__device__ __forceinline__ void load_tile(float* to, const T* head, int64_t stride, int first,
                                          int rows, int tile, int width) {
  const int pieces = (width + 3) / 4;
  const int pitch = pitch_of(width);
  const bool aligned = width % 4 == 0 && stride % 4 == 0;
  [[maybe_unused]] constexpr int kInFlight =
      std::is_same_v<T, float> ? 4 : 1;  // 16 bits take more registers
#pragma unroll kInFlight
  for (int i = static_cast<int>(threadIdx.x); i < tile * pieces; i += kSide * kSide) {
    const int row = i / pieces;
    const int column = i % pieces * 4;
    float4 value = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (first + row < rows)
      value = load_4(head + (first + row) * stride + column, width - column, aligned);
    *reinterpret_cast<float4*>(to + row * pitch + column) = value;
  }
}

// Of rows place.y RQ + i of a and place.x + 16 j of b.
template <int RQ, int RK>
__device__ __forceinline__ void dot_rows(const float* a, const float* b, int width, const Place& at,
                                         float (&s)[RQ][RK]) {
  const int pitch = pitch_of(width);
#pragma unroll
  for (int i = 0; i < RQ; ++i)
#pragma unroll
    for (int j = 0; j < RK; ++j) s[i][j] = 0.0f;
  for (int c = 0; c < width; c += 4) {
    float4 x[RQ];
#pragma unroll
    for (int i = 0; i < RQ; ++i)
      x[i] = *reinterpret_cast<const float4*>(a + (at.y * RQ + i) * pitch + c);
#pragma unroll
    for (int j = 0; j < RK; ++j) {
      const float4 y = *reinterpret_cast<const float4*>(b + (at.x + kSide * j) * pitch + c);
#pragma unroll
      for (int i = 0; i < RQ; ++i)
        s[i][j] += x[i].x * y.x + x[i].y * y.y + x[i].z * y.z + x[i].w * y.w;
    }
  }
}

// R result rows of a thread.
template <int R, int C>
struct RowSums {
  float4 at[R][C] = {};

  __device__ void scale(int row, float by) {
    for (int c = 0; c < C; ++c) {
      at[row][c].x *= by, at[row][c].y *= by, at[row][c].z *= by, at[row][c].w *= by;
    }
  }
  // at[i] += weight[i] * the thread's columns of x.
  __device__ void add_row(const float (&weight)[R], const float* x, int width, const Place& place) {
#pragma unroll
    for (int c = 0; c < C; ++c) {
      const int column = 4 * place.x + 64 * c;
      if (column >= width) break;
      const float4 v = *reinterpret_cast<const float4*>(x + column);
#pragma unroll
      for (int i = 0; i < R; ++i) {
        at[i][c].x += weight[i] * v.x, at[i][c].y += weight[i] * v.y;
        at[i][c].z += weight[i] * v.z, at[i][c].w += weight[i] * v.w;
      }
    }
  }
  // at[i] += sum over s < steps, a multiple of 4, of w[i][s] x[s]; rows of w are `pitch` apart.
  __device__ void add(const float* w, int pitch, const float* x, int steps, int width,
                      const Place& place) {
    const int x_pitch = pitch_of(width);
    for (int s = 0; s < steps; s += 4) {
      float four[4][R];
#pragma unroll
      for (int i = 0; i < R; ++i) {
        const float4 v = *reinterpret_cast<const float4*>(w + i * pitch + s);
        four[0][i] = v.x, four[1][i] = v.y, four[2][i] = v.z, four[3][i] = v.w;
      }
#pragma unroll
      for (int e = 0; e < 4; ++e) add_row(four[e], x + (s + e) * x_pitch, width, place);
    }
  }
  // The same of w[s][i].
  __device__ void add_transposed(const float* w, int pitch, const float* x, int steps, int width,
                                 const Place& place) {
    const int x_pitch = pitch_of(width);
    [[maybe_unused]] constexpr int kAtOnce = C == 1 ? 4 : 2;
#pragma unroll kAtOnce
    for (int s = 0; s < steps; ++s) {
      float weight[R];
      if constexpr (R == 4) {
        const float4 v = *reinterpret_cast<const float4*>(w + s * pitch);
        weight[0] = v.x, weight[1] = v.y, weight[2] = v.z, weight[3] = v.w;
      } else {
#pragma unroll
        for (int i = 0; i < R; ++i) weight[i] = w[s * pitch + i];
      }
      add_row(weight, x + s * x_pitch, width, place);
    }
  }
  template <typename T>
  __device__ void store(T* head, int64_t stride, int first, int rows, int width,
                        const Place& place) const {
#pragma unroll
    for (int i = 0; i < R; ++i) {
      if (first + i >= rows) return;
      for (int c = 0; c < C; ++c) {
        const float four[] = {at[i][c].x, at[i][c].y, at[i][c].z, at[i][c].w};
        const int column = 4 * place.x + 64 * c;
        T* to = head + (first + i) * stride + column;
        for (int e = 0; e < 4; ++e)
          if (column + e < width) to[e] = from_float<T>(four[e]);
      }
    }
  }
};

template <int RQ, int RK>
struct Tile {
  static constexpr int kQueries = kSide * RQ;
  static constexpr int kKeys = kSide * RK;
  static constexpr int kPitch = kKeys + 4;  // of a tile of weights, by query
  static constexpr int kWeights = kQueries * kPitch;
};

// ---- Makers ---------------------------------------------------------------------------------

// One block per `tile` rows of every head.
inline Geometry geometry(int64_t heads, int rows, int tile, int shared_floats) {
  Geometry g;
  g.grid.x = grid_of(heads * quotient_up(rows, tile));
  g.block.x = kSide * kSide;
  g.shared_bytes = static_cast<unsigned>(shared_floats * 4);
  return g;
}
inline int tiles_of(int rows, int tile) {
  return std::max(1, (rows + tile - 1) / tile);
}

template <typename T>
std::string_view type_name() {
  return std::is_same_v<T, float> ? "f32" : std::is_same_v<T, Bf16> ? "bf16" : "f16";
}

// make<T, RQ, RK, C>() for the sizes of `a`. Of the smaller tiles only f32 has need: in 16 bits
// short rows are what attention_mma.cu is for.
template <typename T, typename Make>
GpuKernel with_tile(const AttentionArguments<T>& a, const Make& make) {
  if (a.width > 64) return make.template operator()<2, 2, 4>();
  if constexpr (std::is_same_v<T, float>) {
    if (a.queries <= kSide && a.keys <= kSide) return make.template operator()<1, 1, 1>();
    if (a.keys <= kSide) return make.template operator()<4, 1, 1>();
  }
  return make.template operator()<4, 4, 1>();
}

#endif

}  // namespace grimace::cuda::attention_fma
