#include "backends/cuda/launch.h"

#include <algorithm>

namespace grimace::cuda {

std::string to_string(const Geometry& g) {
  std::string grid = std::to_string(g.grid.x);
  if (g.grid.y > 1 || g.grid.z > 1) grid += "x" + std::to_string(g.grid.y);
  if (g.grid.z > 1) grid += "x" + std::to_string(g.grid.z);
  const unsigned threads = g.block.x * g.block.y * g.block.z;
  std::string text = cat("grid ", grid, ", ", threads, " threads");
  if (g.shared_bytes > 0) text += cat(", ", (g.shared_bytes + 1023) / 1024, " KiB");
  return text;
}

unsigned blocks_for(int64_t count, int64_t per_block, int64_t most) {
  return static_cast<unsigned>(std::clamp<int64_t>((count + per_block - 1) / per_block, 1, most));
}

unsigned blocks_for_all(int64_t count, int64_t per_block) {
  constexpr int64_t most = (int64_t{1} << 31) - 1;
  check(count / per_block < most, "a GPU starts at most ", most,
        " blocks at once; this tensor takes ", count / per_block);
  return blocks_for(count, per_block, most);
}

// The limit is the kernel's, not the launch's: it is only ever raised, as recorded launches need
// theirs later.
void allow_shared_memory(const void* kernel, unsigned bytes) {
  cudaFuncAttributes now{};
  check_cuda(cudaFuncGetAttributes(&now, kernel), "shared memory of a kernel");
  if (now.maxDynamicSharedSizeBytes < static_cast<int>(bytes))
    check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(bytes)),
               "shared memory of a kernel");
}

void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw RunError(cat("CUDA failed in ", what, ": ", cudaGetErrorString(status)));
}

}  // namespace grimace::cuda
