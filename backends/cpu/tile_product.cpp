#include "backends/cpu/tile_product.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace grimace::cpu {
namespace {

// Steps after which a panel of b no longer fits the first-level cache beside a.
constexpr int64_t kStepsInCache = 96;

template <size_t Lanes>
using Vector [[gnu::vector_size(Lanes * sizeof(float)), gnu::aligned(4)]] = float;

// Plain vector arithmetic: one source for every instruction set, in vectors of its registers' size,
// as g++ keeps larger ones in memory.
template <size_t Lanes, int M, int V>
[[gnu::always_inline]] inline void f32_tile(int64_t steps, const char* a, int64_t a_row,
                                            int64_t a_step, const float* b, float* c, int64_t ldc,
                                            bool accumulate) {
  using Register = Vector<Lanes>;
  constexpr int kLanes = Lanes;
  constexpr int kRegisters = V * kVector / kLanes;
  Register sum[M][kRegisters];
  const auto at = [c, ldc](int i, int v) {
    return reinterpret_cast<Register*>(c + i * ldc + v * kLanes);
  };
#pragma GCC unroll 6
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kRegisters; ++v) sum[i][v] = accumulate ? *at(i, v) : Register{};
  for (int64_t s = 0; s < steps; ++s, b += V * kVector, a += a_step) {
    Register column[kRegisters];
#pragma GCC unroll 4
    for (int v = 0; v < kRegisters; ++v)
      column[v] = *reinterpret_cast<const Register*>(b + v * kLanes);
#pragma GCC unroll 6
    for (int i = 0; i < M; ++i) {
      float word;
      std::memcpy(&word, a + i * a_row, sizeof(word));
#pragma GCC unroll 4
      for (int v = 0; v < kRegisters; ++v) sum[i][v] += word * column[v];
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kRegisters; ++v) *at(i, v) = sum[i][v];
}

template <int M, int V>
void f32_sse2(int64_t steps, const char* a, int64_t a_row, int64_t a_step, const void* b, float* c,
              int64_t ldc, bool accumulate) {
  f32_tile<4, M, V>(steps, a, a_row, a_step, static_cast<const float*>(b), c, ldc, accumulate);
}
template <int M, int V>
[[gnu::target("avx2,fma")]] void f32_avx2(int64_t steps, const char* a, int64_t a_row,
                                          int64_t a_step, const void* b, float* c, int64_t ldc,
                                          bool accumulate) {
  f32_tile<8, M, V>(steps, a, a_row, a_step, static_cast<const float*>(b), c, ldc, accumulate);
}
template <int M, int V>
[[gnu::target("avx512f,avx512vl,fma,prefer-vector-width=512")]] void f32_avx512(
    int64_t steps, const char* a, int64_t a_row, int64_t a_step, const void* b, float* c,
    int64_t ldc, bool accumulate) {
  f32_tile<16, M, V>(steps, a, a_row, a_step, static_cast<const float*>(b), c, ldc, accumulate);
}

template <int M, int V>
[[gnu::target("avx512f,avx512vl,avx512bf16,prefer-vector-width=512")]] void pairs_avx512(
    int64_t steps, const char* a, int64_t a_row, int64_t a_step, const void* b, float* c,
    int64_t ldc, bool accumulate) {
  __m512 sum[M][V];
#pragma GCC unroll 6
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      sum[i][v] = accumulate ? _mm512_loadu_ps(c + i * ldc + v * kVector) : _mm512_setzero_ps();
  const auto* words = static_cast<const char*>(b);
  for (int64_t s = 0; s < steps; ++s, words += V * kVector * 4, a += a_step) {
    __m512bh column[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      column[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(words + v * kVector * 4));
#pragma GCC unroll 6
    for (int i = 0; i < M; ++i) {
      int word;
      std::memcpy(&word, a + i * a_row, sizeof(word));
      const __m512bh pair = reinterpret_cast<__m512bh>(_mm512_set1_epi32(word));
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[i][v] = _mm512_dpbf16_ps(sum[i][v], pair, column[v]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) _mm512_storeu_ps(c + i * ldc + v * kVector, sum[i][v]);
}

using Tiles = TileProduct::Tiles;
constexpr int kRows = TileProduct::kRows;
constexpr int kVectors = TileProduct::kVectors;

// Every size of one kind of tile: make(rows, vectors) names the function of that size.
template <typename Make, size_t... I>
constexpr Tiles every_size(const Make& make, std::index_sequence<I...>) {
  Tiles tiles{};
  ((tiles.tile[I / kVectors][I % kVectors] = make(std::integral_constant<int, I / kVectors + 1>{},
                                                  std::integral_constant<int, I % kVectors + 1>{})),
   ...);
  return tiles;
}
constexpr auto kSizes = std::make_index_sequence<kRows * kVectors>{};

constexpr Tiles kF32Sse2 = every_size([](auto m, auto v) { return &f32_sse2<m, v>; }, kSizes);
constexpr Tiles kF32Avx2 = every_size([](auto m, auto v) { return &f32_avx2<m, v>; }, kSizes);
constexpr Tiles kF32Avx512 = every_size([](auto m, auto v) { return &f32_avx512<m, v>; }, kSizes);
constexpr Tiles kPairs = every_size([](auto m, auto v) { return &pairs_avx512<m, v>; }, kSizes);

const Tiles* tiles_for(Isa isa, bool pairs) {
  if (pairs) return &kPairs;
  if (isa >= Isa::avx512) return &kF32Avx512;
  return isa == Isa::avx2 ? &kF32Avx2 : &kF32Sse2;
}

}  // namespace

bool has_bf16_pairs(Isa isa) {
  return isa >= Isa::avx512 && __builtin_cpu_supports("avx512bf16");
}

// With 16 registers there is room for the sums of one vector (of 16 words) only.
TileProduct::TileProduct(Isa isa, bool pairs)
    : tiles_(tiles_for(isa, pairs)), panel_((isa >= Isa::avx512 ? kVectors : 1) * kVector) {}

void TileProduct::run(int64_t m, int64_t n, int64_t steps, TileOperand a, const void* b, float* c,
                      int64_t ldc, bool accumulate) const {
  const auto* a_data = static_cast<const char*>(a.data);
  const int64_t groups = (m + kRows - 1) / kRows;
  for (int64_t column = 0; column < n; column += panel_) {
    const int64_t columns = std::min(panel_, n - column);
    const char* b_panel = static_cast<const char*>(b) + column * steps * 4;
    for (int64_t first = 0; first < steps; first += kStepsInCache) {
      const int64_t count = std::min(kStepsInCache, steps - first);
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t row = m * g / groups;
        const int64_t rows = m * (g + 1) / groups - row;
        tiles_->tile[rows - 1][columns / kVector - 1](
            count, a_data + row * a.row + first * a.step, a.row, a.step,
            b_panel + first * columns * 4, c + row * ldc + column, ldc, accumulate || first > 0);
      }
    }
  }
}

}  // namespace grimace::cpu
