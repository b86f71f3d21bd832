// The words that CUDA adds to C++: qualifiers, vector types, the place of a thread in its grid, and
// the device functions that need no other thread. (__noinline__ is missing: as a macro it would
// break the headers of libstdc++.)
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// Blocks run one after another, so one copy serves them all. It is not poisoned between blocks;
// dynamic shared memory is. (alignas goes before it, where both compilers accept it.)
#define __shared__ static

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) {
  return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}

namespace grimace::cuda::emulator {
// Of the thread that runs; fibers.cpp and launch_grid.cpp set them.
extern uint3 thread_index, block_index;
extern dim3 block_size, grid_size;
}  // namespace grimace::cuda::emulator
#define threadIdx (::grimace::cuda::emulator::thread_index)
#define blockIdx (::grimace::cuda::emulator::block_index)
#define blockDim (::grimace::cuda::emulator::block_size)
#define gridDim (::grimace::cuda::emulator::grid_size)

// Kernels are written with the functions of <cmath>; these are what CUDA has besides.
inline int __popc(unsigned v) {
  return std::popcount(v);
}
inline int __ffs(int v) {
  return __builtin_ffs(v);
}

// No thread is ever interrupted between two waits, so an atomic is an ordinary change, and memory
// is always in order.
template <typename T, typename U>
inline T atomicAdd(T* place, U more) {
  static_assert(std::is_integral_v<T>, "no float atomics: a sum must not depend on the order");
  const T old = *place;
  *place = static_cast<T>(old + static_cast<T>(more));
  return old;
}
template <typename T, typename U, typename V>
inline T atomicCAS(T* place, U expected, V value) {
  static_assert(std::is_integral_v<T>);
  const T old = *place;
  if (old == static_cast<T>(expected)) *place = static_cast<T>(value);
  return old;
}
