// What the kernels of rows and sums share: elements read and written up to 16 bytes at a time and
// computed as floats, sums over some lanes of a warp or over columns, and the pick of a float type.
#pragma once

#include "backends/cuda/context.h"

namespace grimace::cuda {

constexpr int kBlock = 256;  // threads, where nothing else is said

// ---- On the host ---------------------------------------------------------------------------
inline bool is_real(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

// Calls visit(T{}) with what kernels call the float type.
template <typename Visit>
auto with_real(DType dtype, Visit&& visit) {
  if (dtype == DType::bf16) return visit(Bf16{});
  if (dtype == DType::f16) return visit(F16{});
  internal_check(dtype == DType::f32, "no kernel for elements of ", name_of(dtype));
  return visit(float{});
}

template <typename T>
const T* address(const ConstView& view) {
  return static_cast<const T*>(view.data);
}
template <typename T>
T* address(const View& view) {
  return static_cast<T*>(view.data);
}

inline GpuKernel nothing() {
  return {.name = "nothing", .run = [](cudaStream_t) {}};
}

inline int64_t quotient_up(int64_t count, int64_t by) {
  return (count + by - 1) / by;
}
// The smallest power of two that is no less than `count`, at most `most` (itself one).
inline int power_of_two(int64_t count, int most) {
  int power = 1;
  while (power < count && power < most) power *= 2;
  return power;
}

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

// ---- Elements ------------------------------------------------------------------------------
// N neighbours, aligned as a whole: one access where they are 16 bytes or less.
template <typename T, int N>
struct alignas(N * sizeof(T)) Pack {
  T values[N];
};

template <int N, typename T>
__device__ __forceinline__ void load(const T* from, float (&to)[N]) {
  const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(from);
  for (int i = 0; i < N; ++i) to[i] = to_float(pack.values[i]);
}
template <int N, typename T>
__device__ __forceinline__ void store(T* to, const float (&from)[N]) {
  Pack<T, N> pack;
  for (int i = 0; i < N; ++i) pack.values[i] = from_float<T>(from[i]);
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

// ---- Sums in a fixed order -----------------------------------------------------------------
// Over groups of `lanes` neighbours in a warp, a power of two; every lane gets its group's.
__device__ __forceinline__ float group_sum(float v, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) v += __shfl_xor_sync(kWholeWarp, v, step);
  return v;
}
__device__ __forceinline__ float group_max(float v, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2)
    v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, step));
  return v;
}

// sum += the packs at from + i * stride for i = begin, begin + step, ... < end, four loads in
// flight.
template <int N, typename T>
__device__ __forceinline__ void add_strided(const T* from, int64_t begin, int64_t end, int64_t step,
                                            int64_t stride, float (&sum)[N]) {
  const int64_t jump = step * stride;
  int64_t i = begin;
  for (from += begin * stride; i + 3 * step < end; i += 4 * step, from += 4 * jump) {
    Pack<T, N> packs[4];
    for (int k = 0; k < 4; ++k) packs[k] = *reinterpret_cast<const Pack<T, N>*>(from + k * jump);
    for (int k = 0; k < 4; ++k)
      for (int n = 0; n < N; ++n) sum[n] += to_float(packs[k].values[n]);
  }
  for (; i < end; i += step, from += jump) {
    float v[N];
    load<N>(from, v);
    for (int n = 0; n < N; ++n) sum[n] += v[n];
  }
}

// A block of kBlock threads as rows of `width` (a power of two): the sum over the threads of each
// column, for the first `width` threads. `shared` is shared memory of N * kBlock floats.
template <int N>
__device__ __forceinline__ void sum_columns(float (&sum)[N], int width, float* shared) {
  const int thread = static_cast<int>(threadIdx.x);
  __syncthreads();  // whoever used shared before is done with it
  for (int n = 0; n < N; ++n) shared[n * kBlock + thread] = sum[n];
  for (int half = kBlock / 2; half >= width; half /= 2) {
    __syncthreads();
    if (thread < half)
      for (int n = 0; n < N; ++n) shared[n * kBlock + thread] += shared[n * kBlock + thread + half];
  }
  // Only its own thread wrote what is read here.
  for (int n = 0; n < N; ++n) sum[n] = shared[n * kBlock + thread];
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
