// Sums in a fixed order over rows and columns of elements, which are read up to 16 bytes at a time
// and added as floats.
#pragma once

#include "backends/cuda/kernels/common.h"

namespace grimace::cuda {

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

// sum += the vectors at from + i * stride for i = begin, begin + step, ... < end, four loads in
// flight.
template <int N, typename T>
__device__ __forceinline__ void add_strided(const T* from, int64_t begin, int64_t end, int64_t step,
                                            int64_t stride, float (&sum)[N]) {
  const int64_t jump = step * stride;
  int64_t i = begin;
  for (from += begin * stride; i + 3 * step < end; i += 4 * step, from += 4 * jump) {
    Vec<T, N> four[4];
    for (int k = 0; k < 4; ++k) four[k] = load<N>(from + k * jump);
    for (int k = 0; k < 4; ++k)
      for (int n = 0; n < N; ++n) sum[n] += to_float(four[k].v[n]);
  }
  for (; i < end; i += step, from += jump) {
    float v[N];
    load<N>(from, v);
    for (int n = 0; n < N; ++n) sum[n] += v[n];
  }
}

// A block of kThreads threads as rows of `width` (a power of two): the sum over the threads of each
// column, for the first `width` threads. `shared` is shared memory of N * kThreads floats.
template <int N>
__device__ __forceinline__ void sum_columns(float (&sum)[N], int width, float* shared) {
  const int thread = static_cast<int>(threadIdx.x);
  __syncthreads();  // whoever used shared before is done with it
  for (int n = 0; n < N; ++n) shared[n * kThreads + thread] = sum[n];
  for (int half = kThreads / 2; half >= width; half /= 2) {
    __syncthreads();
    if (thread < half)
      for (int n = 0; n < N; ++n)
        shared[n * kThreads + thread] += shared[n * kThreads + thread + half];
  }
  // Only its own thread wrote what is read here.
  for (int n = 0; n < N; ++n) sum[n] = shared[n * kThreads + thread];
}

// result = scale * the sum of x; one block.
template <typename R>
__global__ void __launch_bounds__(1024)
    scaled_sum(const float* x, int64_t count, float scale, R* result) {
  __shared__ float scratch[kWarp];
  const auto thread = static_cast<int64_t>(threadIdx.x);
  const auto threads = static_cast<int64_t>(blockDim.x);
  float sum[1] = {};
  add_strided<1>(x, thread, count, threads, 1, sum);
  const float total = block_sum(sum[0], scratch);
  if (thread == 0) *result = from_float<R>(total * scale);
}

#endif

}  // namespace grimace::cuda
