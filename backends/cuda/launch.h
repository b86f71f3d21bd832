// How kernels are started: the shape of a launch, and starting it on a stream.
#pragma once

#include <string>
#include <tuple>
#include <type_traits>

#include "backends/cuda/gpu.h"
#include "ir/error.h"

namespace grimace::cuda {

struct Geometry {
  dim3 grid{1, 1, 1};
  dim3 block{1, 1, 1};
  unsigned shared_bytes = 0;  // dynamic shared memory of a block
};
// "grid 12x800, 128 threads, 36 KiB"
std::string to_string(const Geometry& geometry);

// Of `count` things, `per_block` by each block; at least one block. Kernels loop with a stride of
// the grid where that is more than `most` blocks.
unsigned blocks_for(int64_t count, int64_t per_block, int64_t most = int64_t{1} << 20);
// The same for kernels without such a loop. Error where there are more than a grid can have.
unsigned blocks_for_all(int64_t count, int64_t per_block);

// Throws RunError with CUDA's own words when `status` is not success.
void check_cuda(cudaError_t status, const char* what);

// Lets a kernel be started with so much dynamic shared memory.
void allow_shared_memory(const void* kernel, unsigned bytes);

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

// 48 KiB less what a kernel has of its own, static shared memory: none here has 16 KiB.
constexpr unsigned kSharedWithoutAsking = 32u << 10;

// Arguments are converted to the kernel's parameters here, so a wrong type does not compile or is
// widened, as in any call.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const Geometry& g, cudaStream_t stream,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  std::tuple<std::remove_cv_t<Parameters>...> values{
      static_cast<Parameters>(std::forward<Arguments>(arguments))...};
#ifdef GRIMACE_CUDA_EMULATED
  emulator::launch(g.grid, g.block, g.shared_bytes, stream,
                   [kernel, values] { std::apply(kernel, values); });
#else
  const auto* function = reinterpret_cast<const void*>(kernel);
  if (g.shared_bytes > kSharedWithoutAsking) allow_shared_memory(function, g.shared_bytes);
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {&value..., nullptr};
        check_cuda(cudaLaunchKernel(function, g.grid, g.block, pointers, g.shared_bytes, stream),
                   "a kernel launch");
      },
      values);
#endif
}

#endif

}  // namespace grimace::cuda
