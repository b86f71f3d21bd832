// What every kernel of this backend is written in: CUDA C++, compiled for a GPU by nvcc and, for
// tests on any machine, as plain C++ for the emulated GPU of emulator/. A kernel uses of CUDA what
// is listed here and in mma.h, and nothing else:
//   __global__ __device__ __forceinline__ __launch_bounds__ __shared__, dim3, threadIdx, blockIdx,
//   blockDim, gridDim, __syncthreads, __syncwarp, __shfl_sync, __shfl_xor_sync, __ballot_sync,
//   __popc, __ffs, atomicAdd and atomicCAS on int, float2, float4 and uint4 with their make_
//   functions, and the float functions of <cmath>.
// No sum may depend on the order in which blocks run: no atomics on floats.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef GRIMACE_CUDA_EMULATED
#include "backends/cuda/emulator/emulator.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#endif

namespace grimace::cuda {

// Storage of 16-bit floats in kernels; the same bytes as grimace::bf16 and grimace::f16.
struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

constexpr int kWarp = 32;
constexpr unsigned kWholeWarp = 0xffffffffu;

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

// ---- Conversions: every kernel computes in float and rounds to nearest even ----------------
__device__ __forceinline__ float to_float(float v) {
  return v;
}
__device__ __forceinline__ float to_float(Bf16 v) {
  const uint32_t bits = uint32_t{v.bits} << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

// Two floats rounded to bf16 in one word, the first in the low half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#ifdef GRIMACE_CUDA_EMULATED
  return uint32_t{emulator::bf16_bits(low)} | (uint32_t{emulator::bf16_bits(high)} << 16);
#else
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &both, sizeof bits);
  return bits;
#endif
}
__device__ __forceinline__ float2 unpack_bf16(uint32_t both) {
  return make_float2(to_float(Bf16{static_cast<uint16_t>(both)}),
                     to_float(Bf16{static_cast<uint16_t>(both >> 16)}));
}

__device__ __forceinline__ float to_float(F16 v) {
#ifdef GRIMACE_CUDA_EMULATED
  return emulator::f16_value(v.bits);
#else
  __half_raw raw;
  raw.x = v.bits;
  return __half2float(__half(raw));
#endif
}

template <typename T>
__device__ __forceinline__ T from_float(float v);
template <>
__device__ __forceinline__ float from_float<float>(float v) {
  return v;
}
template <>
__device__ __forceinline__ Bf16 from_float<Bf16>(float v) {
  return Bf16{static_cast<uint16_t>(pack_bf16(v, 0.0f))};
}
template <>
__device__ __forceinline__ F16 from_float<F16>(float v) {
#ifdef GRIMACE_CUDA_EMULATED
  return F16{emulator::f16_bits(v)};
#else
  return F16{__half_as_ushort(__float2half_rn(v))};
#endif
}

// ---- Dynamic shared memory, as much as the launch asked for --------------------------------
template <typename T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef GRIMACE_CUDA_EMULATED
  return reinterpret_cast<T*>(emulator::dynamic_shared());
#else
  extern __shared__ uint4 grimace_dynamic_shared[];
  return reinterpret_cast<T*>(grimace_dynamic_shared);
#endif
}

// ---- Sums in a fixed order -----------------------------------------------------------------
// Over groups of `lanes` neighbours in a warp, a power of two; every lane gets its group's.
__device__ __forceinline__ float warp_sum(float v, int lanes = kWarp) {
  for (int step = lanes / 2; step > 0; step /= 2) v += __shfl_xor_sync(kWholeWarp, v, step);
  return v;
}
__device__ __forceinline__ float warp_max(float v, int lanes = kWarp) {
  for (int step = lanes / 2; step > 0; step /= 2)
    v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, step));
  return v;
}
// What each warp of a block brings, by lane; `none` in the lanes beyond the last warp.
__device__ __forceinline__ float of_warps(float of_this, float none, float* scratch) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  __syncthreads();  // whoever used scratch before is done with it
  if (lane == 0) scratch[warp] = of_this;
  __syncthreads();
  const int warps = (static_cast<int>(blockDim.x) + kWarp - 1) / kWarp;
  return lane < warps ? scratch[lane] : none;
}
// Over a block of whole warps, at most 32 of them; every thread gets it. `scratch` is shared
// memory of 32 floats.
__device__ __forceinline__ float block_sum(float v, float* scratch) {
  return warp_sum(of_warps(warp_sum(v), 0.0f, scratch));
}
__device__ __forceinline__ float block_max(float v, float* scratch) {
  return warp_max(of_warps(warp_max(v), -INFINITY, scratch));
}

#endif  // device code

}  // namespace grimace::cuda
