// What the attention kernels on tensor cores are made of: tiles of bf16 rows in shared memory,
// fragments of them (mma.h), products of fragments, and the softmax of scores in registers. A warp
// owns 16 rows of a product; with g = lane / 4 and t = lane % 4 a lane holds of rows g and g + 8
// the columns 8 n + 2 t and 8 n + 2 t + 1 (`Sums`).
#pragma once

#include "backends/cuda/attention.h"
#include "backends/cuda/mma.h"

namespace grimace::cuda::attention_mma {

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

using Arguments = AttentionArguments<Bf16>;

// 16 rows by 8 N columns of a product, in f32.
template <int N>
using Sums = float[N][4];

struct Lane {
  int warp = static_cast<int>(threadIdx.x) / kWarp;
  int lane = static_cast<int>(threadIdx.x) % kWarp;
  __device__ Lane() {}
  __device__ int g() const { return lane / 4; }
  __device__ int t() const { return lane % 4; }
};

// Rows of `columns` bf16, a multiple of 16; 16 bytes between rows keep the 8 rows of a fragment in
// different banks.
template <int columns>
struct Tile {
  static constexpr int kPitch = columns + 8;
  static constexpr int kPieces = columns / 8;  // of 16 bytes
  Bf16* data;

  static constexpr __host__ __device__ int elements(int rows) { return rows * kPitch; }
  __device__ __forceinline__ Bf16* at(int row, int column) const {
    return data + row * kPitch + column;
  }

  // Four 8x8 blocks of the 16x16 at (row, column): as A, or as A of the transposed tile; as B of
  // two neighbouring 8 columns of a product with the tile, or with the transposed tile.
  __device__ __forceinline__ void a(uint32_t (&r)[4], int row, int column) const {
    load_matrices(r, down_then_right(row, column));
  }
  __device__ __forceinline__ void a_transposed(uint32_t (&r)[4], int row, int column) const {
    load_matrices_transposed(r, right_then_down(row, column));
  }
  __device__ __forceinline__ void b(uint32_t (&r)[4], int row, int column) const {
    load_matrices_transposed(r, down_then_right(row, column));
  }
  __device__ __forceinline__ void b_transposed(uint32_t (&r)[4], int row, int column) const {
    load_matrices(r, right_then_down(row, column));
  }

  // Rows [first, first + count) of a head, by `threads` threads, in the background; zeros from row
  // `rows` on.
  __device__ __forceinline__ void fill(const Bf16* head, int64_t stride, int first, int rows,
                                       int count, int thread, int threads) const {
    const int step = threads / kPieces;
    const int column = thread % kPieces * 8;
    const Bf16* from = head + (first + thread / kPieces) * stride + column;
#pragma unroll 1
    for (int row = thread / kPieces; row < count; row += step, from += step * stride) {
      const bool none = first + row >= rows;
      copy_16(at(row, column), none ? head : from, none);
    }
  }
  // A warp's sums, times `by` of row g and of row g + 8, into rows row .. row + 15.
  __device__ __forceinline__ void put(int row, const Sums<columns / 8>& sums, float by, float by_8,
                                      const Lane& lane) const {
#pragma unroll
    for (int n = 0; n < columns / 8; ++n) {
      const int column = 8 * n + 2 * lane.t();
      put_pair(row + lane.g(), column, pack_bf16(sums[n][0] * by, sums[n][1] * by));
      put_pair(row + lane.g() + 8, column, pack_bf16(sums[n][2] * by_8, sums[n][3] * by_8));
    }
  }
  __device__ __forceinline__ void put_pair(int row, int column, uint32_t pair) const {
    *reinterpret_cast<uint32_t*>(at(row, column)) = pair;
  }
  // Rows row .. row + 15, which this warp has put there, as rows first, ... < rows of a head.
  __device__ __forceinline__ void store(int row, Bf16* head, int64_t stride, int first, int rows,
                                        const Lane& lane) const {
    __syncwarp();
#pragma unroll
    for (int i = lane.lane; i < 16 * kPieces; i += kWarp) {
      const int r = i / kPieces;
      const int column = i % kPieces * 8;
      if (first + r < rows)
        *reinterpret_cast<uint4*>(head + (first + r) * stride + column) =
            *reinterpret_cast<const uint4*>(at(row + r, column));
    }
    __syncwarp();
  }

 private:
  __device__ __forceinline__ const Bf16* down_then_right(int row, int column) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    return at(row + lane % 16, column + lane / 16 * 8);
  }
  __device__ __forceinline__ const Bf16* right_then_down(int row, int column) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    return at(row + lane % 8 + lane / 16 * 8, column + lane / 8 % 2 * 8);
  }
};

template <int N>
__device__ __forceinline__ void clear(Sums<N>& sums) {
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) sums[n][e] = 0.0f;
}

// Makes the compiler forget what it has computed from v, which would take registers.
__device__ __forceinline__ void forget(uint32_t& v) {
#ifdef GRIMACE_CUDA_EMULATED
  static_cast<void>(v);
#else
  asm volatile("" : "+r"(v));
#endif
}

// Two neighbouring 8 columns: b holds both operands.
__device__ __forceinline__ void mma_pair(float (&left)[4], float (&right)[4],
                                         const uint32_t (&a)[4], const uint32_t (&b)[4]) {
  const uint32_t first[2] = {b[0], b[1]};
  const uint32_t second[2] = {b[2], b[3]};
  mma_16x8x16(left, a, first);
  mma_16x8x16(right, a, second);
}

// 16 rows of an operand, all columns, in registers; negated where `flip` is kNegative.
template <int W>
using Rows = uint32_t[W / 16][4];
constexpr uint32_t kNegative = 0x80008000u;

template <int W>
__device__ __forceinline__ void load_rows(Rows<W>& rows, const Tile<W>& tile, int row,
                                          uint32_t flip = 0) {
#pragma unroll
  for (int k = 0; k < W / 16; ++k) {
    tile.a(rows[k], row, 16 * k);
#pragma unroll
    for (uint32_t& pair : rows[k]) pair ^= flip;
  }
}

// sums = a b^T for the 8 N first rows of b.
template <int W, int N>
__device__ __forceinline__ void dot_rows(Sums<N>& sums, const Rows<W>& a, const Tile<W>& b) {
  clear<N>(sums);
#pragma unroll
  for (int k = 0; k < W / 16; ++k)
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      uint32_t of_b[4];
      b.b_transposed(of_b, 8 * n, 16 * k);
      mma_pair(sums[n], sums[n + 1], a[k], of_b);
    }
}

// The same for 16 M rows of a from `row` on, read from shared memory as they are needed: where
// registers are short. Where they are very short, fewer steps than all are unrolled.
template <int W, int M, int N, int unrolled = W / 16>
__device__ __forceinline__ void dot_tiles(Sums<N> (&sums)[M], const Tile<W>& a, int row,
                                          uint32_t flip, const Tile<W>& b) {
#pragma unroll
  for (int m = 0; m < M; ++m) clear<N>(sums[m]);
#pragma unroll unrolled
  for (int k = 0; k < W / 16; ++k) {
    uint32_t of_a[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      a.a(of_a[m], row + 16 * m, 16 * k);
#pragma unroll
      for (uint32_t& pair : of_a[m]) pair ^= flip;
    }
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      uint32_t of_b[4];
      b.b_transposed(of_b, 8 * n, 16 * k);
#pragma unroll
      for (int m = 0; m < M; ++m) mma_pair(sums[m][n], sums[m][n + 1], of_a[m], of_b);
    }
  }
}

// A product's sums, rounded to bf16, are the A of the next product.
template <int N>
__device__ __forceinline__ void as_a(uint32_t (&a)[4], const Sums<N>& sums, int step) {
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int row = 0; row < 2; ++row)
      a[2 * half + row] =
          pack_bf16(sums[2 * step + half][2 * row], sums[2 * step + half][2 * row + 1]);
}

// sums += a b for 16 rows of b from `row` on.
template <int W>
__device__ __forceinline__ void add_step(Sums<W / 8>& sums, const uint32_t (&a)[4],
                                         const Tile<W>& b, int row) {
#pragma unroll
  for (int n = 0; n < W / 8; n += 2) {
    uint32_t of_b[4];
    b.b(of_b, row, 8 * n);
    mma_pair(sums[n], sums[n + 1], a, of_b);
  }
}
// sums += w b for the 8 N first rows of b.
template <int W, int N>
__device__ __forceinline__ void add_weighted(Sums<W / 8>& sums, const Sums<N>& w,
                                             const Tile<W>& b) {
#pragma unroll
  for (int step = 0; step < N / 2; ++step) {
    uint32_t a[4];
    as_a<N>(a, w, step);
    add_step<W>(sums, a, b, 16 * step);
  }
}

// ---- Softmax in powers of two ---------------------------------------------------------------

// 2^x to 2 units in the last place; 0 where that is below the normal numbers.
__device__ __forceinline__ float power_of_two(float x) {
#ifdef GRIMACE_CUDA_EMULATED
  return x < -126.0f ? 0.0f : exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

// How scores become exponents of two. The sign of the scale is given to an operand (flip), so that
// the largest score weighs most; and it is never 0, so that a masked -infinity stays one.
struct Scale {
  float exponent;
  uint32_t flip;
  __device__ explicit Scale(float scale)
      : exponent(fmaxf(fabsf(scale) * 1.44269504f, 1.2e-38f)),
        flip(scale < 0.0f ? kNegative : 0u) {}
};

// Over the four lanes that share rows.
__device__ __forceinline__ float quad_sum(float v) {
  v += __shfl_xor_sync(kWholeWarp, v, 1);
  return v + __shfl_xor_sync(kWholeWarp, v, 2);
}
__device__ __forceinline__ float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, 1));
  return fmaxf(v, __shfl_xor_sync(kWholeWarp, v, 2));
}

// Columns from `columns` on become -infinity.
template <int N>
__device__ __forceinline__ void mask(Sums<N>& scores, int columns, const Lane& lane) {
  if (columns >= 8 * N) return;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e)
      if (8 * n + 2 * lane.t() + e % 2 >= columns) scores[n][e] = -INFINITY;
}

// Rows g and g + 8 of scores, seen piece by piece: the largest so far, and this lane's part of the
// sum of 2^(exponent (score - largest)).
struct RunningRows {
  float top[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0.0f, 0.0f};

  __device__ RunningRows() {}
  // Scores become powers of two; `fade` is what earlier sums are to be multiplied with.
  template <int N>
  __device__ __forceinline__ void add(Sums<N>& scores, float exponent, float (&fade)[2]) {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float largest = top[row];
#pragma unroll
      for (int n = 0; n < N; ++n)
        largest = fmaxf(largest, fmaxf(scores[n][2 * row], scores[n][2 * row + 1]));
      largest = quad_max(largest);
      fade[row] = power_of_two((top[row] - largest) * exponent);
      top[row] = largest;
      const float shift = largest * exponent;
      float part = 0.0f;
#pragma unroll
      for (int n = 0; n < N; ++n)
#pragma unroll
        for (int e = 2 * row; e < 2 * row + 2; ++e)
          part += scores[n][e] = power_of_two(scores[n][e] * exponent - shift);
      sum[row] = sum[row] * fade[row] + part;
    }
  }
};

#endif

}  // namespace grimace::cuda::attention_mma
