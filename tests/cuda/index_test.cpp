// The index arithmetic of the pointwise kernels, on the host.
#include <gtest/gtest.h>

#include <random>

#include "backends/cuda/kernels/common.h"

namespace grimace {
namespace {

using cuda::FastDivide;
using cuda::kMostSteps;
using cuda::Piece;
using cuda::pieces;

TEST(CudaIndex, FastDivideDividesExactly) {
  std::mt19937 random(1);
  std::vector<int64_t> divisors{1,         2, 3, 5, 7, 64, 641, 65535, 65536, 65537, kMostSteps - 1,
                                kMostSteps};
  for (int i = 0; i < 500; ++i) divisors.push_back(1 + random() % (1u << (1 + random() % 31)));
  for (int64_t d : divisors) {
    d = std::min(d, kMostSteps);
    const FastDivide divide(d);
    std::vector<int64_t> numbers{
        0, d - 1, d, d + 1, kMostSteps / d * d, kMostSteps / d * d - 1, kMostSteps};
    for (int i = 0; i < 100; ++i) numbers.push_back(random() >> (1 + random() % 31));
    for (const int64_t n : numbers)
      if (n <= kMostSteps) {
        ASSERT_EQ(divide(static_cast<uint32_t>(n)), n / d) << n << " / " << d;
      }
  }
}

#ifdef GRIMACE_CUDA_EMULATED  // else only a GPU can
TEST(CudaIndex, WalkFindsEveryPlace) {
  Loops<2> loops;
  loops.rank = 3;
  loops.dims = {3, 5, 7};
  loops.strides[0] = {7, 0, 1};
  loops.strides[1] = {35, 7, 1};
  const cuda::Walk<2> walk(loops);
  for (int64_t i = 0; i < 3 * 5 * 7; ++i) {
    int64_t at[2];
    walk.find(static_cast<uint32_t>(i), at);
    ASSERT_EQ(at[0], i / 35 * 7 + i % 7);
    ASSERT_EQ(at[1], i);
  }
}
#endif

TEST(CudaIndex, LoopsOfMoreThan31BitsAreCutWithoutGaps) {
  Loops<2> loops;
  loops.rank = 3;
  loops.dims = {3, 2, (int64_t{1} << 30) + 1};
  const int64_t cols = loops.dims[2];
  loops.strides[0] = {cols, 0, 1};
  loops.strides[1] = {2 * cols, cols, 1};
  const std::vector<Piece<2>> all = pieces(loops);
  ASSERT_EQ(all.size(), 6u);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].loops.count(), cols);
    EXPECT_EQ(all[i].begin[0], static_cast<int64_t>(i / 2) * cols);
    EXPECT_EQ(all[i].begin[1], static_cast<int64_t>(i) * cols);
  }
  loops.dims = {3, 2, 11};
  EXPECT_EQ(pieces(loops).size(), 1u);
}

TEST(CudaIndex, WordsAreAsWideAsAllByteCountsAllow) {
  EXPECT_EQ(cuda::common_word({}), 16);
  EXPECT_EQ(cuda::common_word({0, 64}), 16);
  EXPECT_EQ(cuda::common_word({64, 24}), 8);
  EXPECT_EQ(cuda::common_word({6, 64}), 2);
  EXPECT_EQ(cuda::common_word({7}), 1);
}

}  // namespace
}  // namespace grimace
