// Tensor-core products and the copies that feed them, as the instructions of sm_80 and newer, or
// their emulation lane by lane. All lanes of a warp call these together. Fragment layouts are those
// of the PTX manual: with g = lane / 4 and t = lane % 4,
//   a[0] = A[g][2t..2t+1]   a[1] = A[g+8][2t..]   a[2] = A[g][2t+8..]   a[3] = A[g+8][2t+8..]
//   b[0] = B[2t..2t+1][g]   b[1] = B[2t+8..2t+9][g]
//   c[0] = C[g][2t], c[1] = C[g][2t+1], c[2] = C[g+8][2t], c[3] = C[g+8][2t+1]
#pragma once

#include "backends/cuda/gpu.h"

namespace grimace::cuda {

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

// c += A B for A [16,16] and B [16,8] of bf16, c f32.
__device__ __forceinline__ void mma_16x8x16(float (&c)[4], const uint32_t (&a)[4],
                                            const uint32_t (&b)[2]) {
#ifdef GRIMACE_CUDA_EMULATED
  emulator::mma_16x8x16(c, a, b);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Four 8x8 matrices of 16-bit elements from shared memory: lanes 8i..8i+7 give the addresses of
// the rows (16 bytes each, aligned) of matrix i; r[i] holds its elements [g][2t..2t+1]. Transposed:
// [2t..2t+1][g].
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void* row) {
#ifdef GRIMACE_CUDA_EMULATED
  emulator::load_matrices(r, row, false);
#else
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
#endif
}
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], const void* row) {
#ifdef GRIMACE_CUDA_EMULATED
  emulator::load_matrices(r, row, true);
#else
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
#endif
}

// 16 bytes from global to shared memory, both aligned, or 16 zeros; in the background until
// copies_wait<n>() leaves at most n committed groups unfinished. The emulator copies at the wait,
// as late as the hardware may.
__device__ __forceinline__ void copy_16(void* shared, const void* global, bool zeros = false) {
#ifdef GRIMACE_CUDA_EMULATED
  emulator::copy_16(shared, global, zeros);
#else
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = zeros ? 0 : 16;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(address), "l"(global),
               "r"(bytes)
               : "memory");
#endif
}
__device__ __forceinline__ void copies_commit() {
#ifdef GRIMACE_CUDA_EMULATED
  emulator::copies_commit();
#else
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}
template <int most>
__device__ __forceinline__ void copies_wait() {
#ifdef GRIMACE_CUDA_EMULATED
  emulator::copies_wait(most);
#else
  asm volatile("cp.async.wait_group %0;\n" ::"n"(most) : "memory");
#endif
}

#endif

}  // namespace grimace::cuda
