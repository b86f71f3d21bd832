// The emulated GPU itself: threads meet as on a device, and what a device would not forgive is
// found.
#include <gmock/gmock.h>

#include <bitset>
#include <numeric>
#include <random>
#include <set>

#include "backends/cuda/emulator/memory.h"
#include "backends/cuda/mma.h"
#include "tests/cuda/gpu_run.h"
#include "tests/testing.h"

namespace grimace::cuda {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

template <typename F>
void on_gpu(dim3 grid, dim3 block, unsigned shared_bytes, F&& body) {
  emulator::launch(grid, block, shared_bytes, nullptr, std::forward<F>(body));
}

// ---- Grids and blocks ----------------------------------------------------------------------
TEST(Emulator, runs_every_thread_of_every_block_once) {
  std::map<std::vector<unsigned>, int> seen;
  on_gpu({3, 2, 2}, {2, 3, 4}, 0, [&] {
    EXPECT_EQ(gridDim.x * gridDim.y * gridDim.z, 12u);
    EXPECT_EQ(blockDim.x * blockDim.y * blockDim.z, 24u);
    ++seen[{blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z}];
  });
  EXPECT_EQ(seen.size(), 12u * 24u);
  for (const auto& [at, times] : seen) EXPECT_EQ(times, 1);
  EXPECT_EQ(seen.rbegin()->first, (std::vector<unsigned>{2, 1, 1, 1, 2, 3}));
}

TEST(Emulator, runs_blocks_in_a_scrambled_order) {
  for (const unsigned blocks : {1u, 2u, 7u, 64u, 1000u}) {
    std::vector<unsigned> order;
    on_gpu(blocks, 1, 0, [&] { order.push_back(blockIdx.x); });
    EXPECT_EQ(std::set<unsigned>(order.begin(), order.end()).size(), blocks);
    EXPECT_EQ(std::is_sorted(order.begin(), order.end()), blocks <= 2);
  }
}

TEST(Emulator, starts_threads_in_both_orders) {
  std::set<unsigned> first;
  for (int i = 0; i < 4; ++i) {
    bool any = false;
    on_gpu(1, 64, 0, [&] {
      if (!std::exchange(any, true)) first.insert(threadIdx.x);
    });
  }
  EXPECT_THAT(first, ElementsAre(0u, 63u));
}

TEST(Emulator, refuses_launches_that_a_device_refuses) {
  const auto nothing = [] {};
  EXPECT_THROW(on_gpu(1, 1025, 0, nothing), RunError);
  EXPECT_THROW(on_gpu(1, {32, 1, 65}, 0, nothing), RunError);
  EXPECT_THROW(on_gpu({1, 65536}, 1, 0, nothing), RunError);
  EXPECT_THROW(on_gpu(0, 1, 0, nothing), RunError);
  EXPECT_THROW(on_gpu(1, 1, (227u << 10) + 1, nothing), RunError);
  on_gpu({1, 65535}, 1, 227u << 10, nothing);
  EXPECT_EQ(error_of<RunError>([&] {
              on_gpu({4, 2}, 0, 64, nothing);
            }),
            "a launch of grid 4x2x1, block 0x1x1, 64 bytes of shared memory is refused: no "
            "dimension may be 0");
}

// ---- Barriers ------------------------------------------------------------------------------
TEST(Emulator, lets_no_thread_past_a_barrier_before_all_came) {
  for (const unsigned threads : {1u, 31u, 32u, 96u, 1024u}) {
    std::vector<int> steps(threads, 0);
    on_gpu(3, threads, 0, [&] {
      for (int step = 1; step <= 4; ++step) {
        steps[threadIdx.x] = step;
        __syncthreads();
        for (const int other : steps) EXPECT_EQ(other, step);
        __syncthreads();
      }
    });
  }
}

TEST(Emulator, keeps_each_threads_place_and_locals_over_a_wait) {
  on_gpu({2, 2}, {8, 4, 2}, 0, [] {
    const uint3 before = threadIdx;
    const double local = threadIdx.x + 10.0 * threadIdx.y + 100.0 * threadIdx.z;
    __syncthreads();
    __syncwarp();
    EXPECT_EQ(threadIdx.x, before.x);
    EXPECT_EQ(threadIdx.y, before.y);
    EXPECT_EQ(threadIdx.z, before.z);
    EXPECT_EQ(local, threadIdx.x + 10.0 * threadIdx.y + 100.0 * threadIdx.z);
  });
}

TEST(Emulator, says_who_waits_for_ever) {
  const std::string missing = error_of<InternalError>([] {
    on_gpu(5, {8, 4}, 0, [] {
      if (threadIdx.y == 3) return;
      __syncthreads();
    });
  });
  EXPECT_THAT(missing,
              AllOf(HasSubstr("internal error"), HasSubstr("24 at __syncthreads (thread"),
                    HasSubstr("and 8 have ended; in a launch of grid 5x1x1, block 8x4x1")));
  const std::string divergent = error_of<InternalError>([] {
    on_gpu(1, 64, 0, [] {
      if (threadIdx.x == 40)
        __syncwarp();
      else
        __syncthreads();
    });
  });
  EXPECT_THAT(divergent,
              AllOf(HasSubstr("63 at __syncthreads"),
                    HasSubstr("1 at __syncwarp with mask 0xffffffff (thread 40 (40,0,0) first)")));
  // The next grid knows nothing of it.
  on_gpu(2, 64, 0, [] {
    __syncthreads();
    __syncwarp();
  });
}

TEST(Emulator, passes_on_what_a_thread_throws) {
  struct CountsLives {
    explicit CountsLives(int& count) : lives(count) { ++lives; }
    ~CountsLives() { --lives; }
    int& lives;
  };
  int lives = 0;
  EXPECT_THROW(on_gpu(1, 64, 0,
                      [&] {
                        const CountsLives life(lives);
                        if (threadIdx.x == 17) throw Error("a thread's own");
                        __syncthreads();
                      }),
               Error);
  EXPECT_EQ(lives, 0);
}

// ---- Warps ---------------------------------------------------------------------------------
TEST(Emulator, shuffles_as_cuda_does) {
  on_gpu(2, 96, 0, [&] {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int value = 100 * static_cast<int>(threadIdx.x / 32) + lane;
    const int base = value - lane;
    EXPECT_EQ(__shfl_sync(kWholeWarp, value, 5), base + 5);
    EXPECT_EQ(__shfl_xor_sync(kWholeWarp, value, 3), base + (lane ^ 3));
    EXPECT_EQ(__shfl_sync(kWholeWarp, 0.25f * static_cast<float>(lane), 7), 1.75f);
  });
}

TEST(Emulator, sums_over_warps_and_blocks) {
  on_gpu(3, 256, 32 * sizeof(float), [] {
    const auto mine = static_cast<float>(threadIdx.x);
    const float first = static_cast<float>(threadIdx.x / 32 * 32);
    EXPECT_EQ(warp_sum(mine), 32 * first + 496);
    EXPECT_EQ(warp_max(mine), first + 31);
    const float of_8 = static_cast<float>(threadIdx.x / 8 * 8);
    EXPECT_EQ(warp_sum(mine, 8), 8 * of_8 + 28);
    EXPECT_EQ(warp_max(mine, 8), of_8 + 7);
    EXPECT_EQ(block_sum(mine, dynamic_shared<float>()), 255.0f * 128.0f);
    EXPECT_EQ(block_sum(1.0f, dynamic_shared<float>()), 256.0f);
    EXPECT_EQ(block_max(mine, dynamic_shared<float>()), 255.0f);
    EXPECT_EQ(block_max(-1.0f - mine, dynamic_shared<float>()), -1.0f);
  });
}

TEST(Emulator, ballots_and_meets_in_parts_of_a_warp) {
  on_gpu(1, 64, 0, [] {
    const unsigned lane = threadIdx.x % 32;
    EXPECT_EQ(__ballot_sync(kWholeWarp, lane % 2 == 0), 0x55555555u);
    if (lane < 12) {
      EXPECT_EQ(__ballot_sync(0xfffu, lane > 3), 0xff0u);
      __syncwarp(0xfffu);
    } else {
      EXPECT_EQ(__shfl_sync(0xfffff000u, static_cast<int>(lane), 20), 20);
    }
    __syncwarp();
  });
}

TEST(Emulator, finds_lanes_that_do_not_meet) {
  EXPECT_THAT(error_of<InternalError>([] {
                on_gpu(1, 32, 0, [] {
                  if (threadIdx.x == 3)
                    __syncwarp();
                  else
                    __shfl_xor_sync(kWholeWarp, 1, 1);
                });
              }),
              AllOf(HasSubstr("lanes of one warp do not meet: thread"),
                    HasSubstr("__shfl_xor_sync with mask 0xffffffff")));
  EXPECT_THAT(error_of<InternalError>([] { on_gpu(1, 32, 0, [] { __syncwarp(0xfu); }); }),
              HasSubstr("which is not in the mask"));
  EXPECT_THAT(error_of<InternalError>([] { on_gpu(1, 40, 0, [] { __syncwarp(); }); }),
              HasSubstr("waits for thread 63 of a block of 40 threads"));
  EXPECT_THAT(error_of<InternalError>([] {
                on_gpu(1, 32, 0, [] {
                  if (threadIdx.x < 16) __shfl_sync(0xffffu, 1, 20);
                });
              }),
              HasSubstr("from lane 20, which is not in the mask"));
}

TEST(Emulator, changes_integers_atomically_and_scans_order_free) {
  int sum = 0, first = 0;
  on_gpu(7, 33, 0, [&] {
    atomicAdd(&sum, 2);
    atomicCAS(&first, 0, 5);
    EXPECT_EQ(atomicCAS(&first, 0, 6), 5);
  });
  EXPECT_EQ(sum, 2 * 7 * 33);
  EXPECT_EQ(first, 5);
}

// ---- Shared memory and background copies ---------------------------------------------------
TEST(Emulator, poisons_shared_memory_before_every_block) {
  on_gpu(4, 32, 32 * sizeof(float), [] {
    auto* values = dynamic_shared<float>();
    EXPECT_TRUE(std::isnan(values[threadIdx.x]));
    values[threadIdx.x] = 1.0f;
  });
}

TEST(Emulator, finds_writes_beyond_shared_memory) {
  EXPECT_THAT(
      error_of<InternalError>([] { on_gpu(3, 32, 100, [] { dynamic_shared<char>()[100] = 1; }); }),
      AllOf(HasSubstr("shared memory was written 0 bytes beyond its end"),
            HasSubstr("100 bytes of shared memory, block (")));
  EXPECT_THAT(
      error_of<InternalError>([] { on_gpu(1, 32, 64, [] { dynamic_shared<char>()[-1] = 1; }); }),
      HasSubstr("before its beginning"));
}

TEST(Emulator, copies_in_the_background_arrive_at_the_wait) {
  alignas(16) static float from[3][4];
  std::iota(&from[0][0], &from[0][0] + 12, 1.0f);
  on_gpu(2, 1, 64, [] {
    auto* to = dynamic_shared<float>();
    copy_16(to, from[0]);
    copies_commit();
    copy_16(to + 4, from[1]);
    copies_commit();
    copy_16(to + 8, from[2], true);
    EXPECT_TRUE(std::isnan(to[0]));
    copies_wait<1>();
    EXPECT_EQ(to[3], 4.0f);
    EXPECT_TRUE(std::isnan(to[4]));
    copies_wait<0>();
    EXPECT_EQ(to[4], 5.0f);
    EXPECT_TRUE(std::isnan(to[8])) << "not committed";
    copies_commit();
    copies_wait<0>();
    EXPECT_EQ(to[8], 0.0f);
    copy_16(to + 12, from[0]);  // nobody waits for it: it never comes
  });
  EXPECT_THAT(error_of<InternalError>(
                  [] { on_gpu(1, 1, 64, [] { copy_16(dynamic_shared<char>() + 4, from); }); }),
              HasSubstr("copy_16 needs both places aligned to 16 bytes; shared is at"));
}

// ---- Tensor cores --------------------------------------------------------------------------
using Matrix = std::vector<float>;  // 16 columns

Matrix random_matrix(int rows, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Matrix m(static_cast<size_t>(rows * 16));
  for (float& v : m) v = static_cast<float>(bf16(normal(generator)));
  return m;
}
uint32_t pair_of(float low, float high) {
  return pack_bf16(low, high);
}

TEST(Emulator, multiplies_fragments_as_matrices) {
  const Matrix a = random_matrix(16, 1), b = random_matrix(16, 2), c = random_matrix(16, 3);
  Matrix got(16 * 16, 0.0f);
  on_gpu(1, 32, 0, [&] {
    const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
    const auto at = [](const Matrix& m, int row, int column) {
      return m[static_cast<size_t>(row * 16 + column)];
    };
    const auto of_a = [&](int row, int k) { return pair_of(at(a, row, k), at(a, row, k + 1)); };
    const auto of_b = [&](int k) { return pair_of(at(b, k, g), at(b, k + 1, g)); };
    const uint32_t fa[4] = {of_a(g, 2 * t), of_a(g + 8, 2 * t), of_a(g, 2 * t + 8),
                            of_a(g + 8, 2 * t + 8)};
    const uint32_t fb[2] = {of_b(2 * t), of_b(2 * t + 8)};
    float fc[4] = {at(c, g, 2 * t), at(c, g, 2 * t + 1), at(c, g + 8, 2 * t),
                   at(c, g + 8, 2 * t + 1)};
    mma_16x8x16(fc, fa, fb);
    for (int i = 0; i < 4; ++i)
      got[static_cast<size_t>((g + i / 2 * 8) * 16 + 2 * t + i % 2)] = fc[i];
  });
  for (size_t row = 0; row < 16; ++row)
    for (size_t column = 0; column < 8; ++column) {
      double wanted = c[row * 16 + column];
      for (size_t k = 0; k < 16; ++k) wanted += double{a[row * 16 + k]} * b[k * 16 + column];
      EXPECT_NEAR(got[row * 16 + column], wanted, 1e-5);
    }
}

TEST(Emulator, loads_matrices_plain_and_transposed) {
  on_gpu(1, 32, 4 * 64 * 2, [] {
    auto* shared = dynamic_shared<uint16_t>();
    const unsigned lane = threadIdx.x;
    for (unsigned i = lane; i < 256; i += 32) shared[i] = static_cast<uint16_t>(i);
    __syncwarp();
    uint32_t plain[4], transposed[4];
    load_matrices(plain, shared + lane * 8);  // row lane % 8 of matrix lane / 8
    load_matrices_transposed(transposed, shared + lane * 8);
    const unsigned g = lane / 4, t = lane % 4 * 2;
    for (unsigned m = 0; m < 4; ++m) {
      const unsigned first = m * 64;
      EXPECT_EQ(plain[m], (first + g * 8 + t) | (first + g * 8 + t + 1) << 16);
      EXPECT_EQ(transposed[m], (first + t * 8 + g) | (first + (t + 1) * 8 + g) << 16);
    }
  });
  EXPECT_THAT(error_of<InternalError>([] {
                on_gpu(1, 32, 4 * 64 * 2 + 8, [] {
                  uint32_t r[4];
                  load_matrices(r, dynamic_shared<uint16_t>() + threadIdx.x * 8 + 4);
                });
              }),
              HasSubstr("load_matrices needs rows aligned to 16 bytes; that of lane 0 is at"));
}

TEST(Emulator, converts_16_bit_floats) {
  for (const float v : {0.0f, 1.0f, -2.5f, 1.00390625f, 65504.0f, 3e-8f, 1e30f}) {
    EXPECT_EQ(from_float<Bf16>(v).bits, bf16(v).bits);
    EXPECT_EQ(from_float<F16>(v).bits, f16(v).bits);
    EXPECT_EQ(to_float(from_float<F16>(v)), static_cast<float>(f16(v)));
  }
  EXPECT_EQ(unpack_bf16(pack_bf16(1.5f, -3.0f)).y, -3.0f);
}

}  // namespace
}  // namespace grimace::cuda
