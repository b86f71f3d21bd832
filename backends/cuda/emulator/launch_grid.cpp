#include "backends/cuda/emulator/launch_grid.h"

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <numeric>

#include "backends/cuda/emulator/fibers.h"
#include "backends/cuda/emulator/memory.h"
#include "backends/cuda/emulator/warp.h"
#include "ir/error.h"

namespace grimace::cuda::emulator {

uint3 block_index{};
dim3 grid_size{};

namespace {

struct Grid {
  dim3 grid, block;
  unsigned shared_bytes;
  std::function<void()> body;
};

constexpr size_t kGuardBytes = 1024;
constexpr std::byte kGuard{0xa5};
struct alignas(32) SharedMemory {
  std::byte before[16];
  std::byte bytes[kMostSharedBytes + kGuardBytes];
} shared_memory;

std::mutex one_grid_at_a_time;
unsigned grids_run = 0;

std::string text(const dim3& d) {
  return cat(d.x, "x", d.y, "x", d.z);
}
std::string text(const Grid& g) {
  return cat("a launch of grid ", text(g.grid), ", block ", text(g.block), ", ", g.shared_bytes,
             " bytes of shared memory");
}

void check_limits(const Grid& g) {
  const auto refuse = [&](const auto&... why) {
    throw RunError(cat(text(g), " is refused: ", why...));
  };
  for (const dim3& d : {g.grid, g.block})
    if (d.x == 0 || d.y == 0 || d.z == 0) refuse("no dimension may be 0");
  if (g.grid.x > 0x7fffffffu || g.grid.y > 65535 || g.grid.z > 65535)
    refuse("a grid is at most 2147483647x65535x65535");
  if (g.block.x > 1024 || g.block.y > 1024 || g.block.z > 64 ||
      uint64_t{g.block.x} * g.block.y * g.block.z > 1024)
    refuse("a block has at most 1024 threads, 64 of them along z");
  if (g.shared_bytes > kMostSharedBytes) refuse("a block has at most ", kMostSharedBytes);
}

constexpr auto kIntactGuard = [] {
  std::array<std::byte, kGuardBytes> guard{};
  guard.fill(kGuard);
  return guard;
}();

void check_guards(const Grid& g) {
  const auto& before = shared_memory.before;
  const std::byte* after = shared_memory.bytes + g.shared_bytes;
  if (std::memcmp(before, kIntactGuard.data(), sizeof before) != 0)
    throw Misuse("shared memory was written before its beginning");
  if (std::memcmp(after, kIntactGuard.data(), kGuardBytes) == 0) return;
  const auto* at = std::find_if(after, after + kGuardBytes, [](auto b) { return b != kGuard; });
  throw Misuse(cat("shared memory was written ", at - after, " bytes beyond its end"));
}

void run_block(const Grid& g, uint64_t block, bool descending) {
  const uint64_t row = block / g.grid.x;
  block_index = {static_cast<unsigned>(block % g.grid.x), static_cast<unsigned>(row % g.grid.y),
                 static_cast<unsigned>(row / g.grid.y)};
  std::memset(shared_memory.bytes, 0xff, g.shared_bytes);
  run_threads(g.body, descending);
  forget_copies();
  check_guards(g);
}

// All blocks, each once: steps of about a golden section of their number, coprime with it.
template <typename F>
void for_scrambled(uint64_t count, F&& f) {
  auto step = static_cast<uint64_t>(static_cast<double>(count) * 0.618034);
  while (std::gcd(step, count) != 1) ++step;
  uint64_t at = count / 3;
  for (uint64_t i = 0; i < count; ++i) {
    f(at);
    at = (at + step) % count;
  }
}

// Threads start in another order in each block, and in the next run of the same kernels: bits of
// the Thue-Morse sequence, which never repeats a part at once.
bool descends(uint64_t number) {
  return std::popcount(number) % 2 != 0;
}

void run_grid(const Grid& g) {
  const std::lock_guard lock(one_grid_at_a_time);
  grid_size = g.grid;
  block_size = g.block;
  std::memset(shared_memory.before, static_cast<int>(kGuard), sizeof shared_memory.before);
  std::memset(shared_memory.bytes + g.shared_bytes, static_cast<int>(kGuard), kGuardBytes);
  const unsigned run = grids_run++;
  try {
    for_scrambled(uint64_t{g.grid.x} * g.grid.y * g.grid.z,
                  [&](uint64_t block) { run_block(g, block, descends(block) != descends(run)); });
    if (const std::string damage = damaged_allocation(); !damage.empty()) throw Misuse(damage);
  } catch (const Misuse& e) {
    forget_copies();
    forget_meetings();
    throw InternalError(cat(e.what(), "; in ", text(g), ", block (", block_index.x, ",",
                            block_index.y, ",", block_index.z, ")"));
  }
}

}  // namespace

std::byte* dynamic_shared() {
  return shared_memory.bytes;
}

void launch(dim3 grid, dim3 block, unsigned shared_bytes, cudaStream_t stream,
            std::function<void()> body) {
  Grid g{grid, block, shared_bytes, std::move(body)};
  check_limits(g);
  enqueue(stream, [g = std::move(g)] { run_grid(g); });
}

}  // namespace grimace::cuda::emulator
