// Products of whole tiles, for kernels that do more than multiply: c [m,n] = a b or c + a b, one
// thread. m and n are multiples of 16, inner dimensions of 32, so that every register is full and
// no tile is configured twice: callers pad with zeros, which costs less than a configuration.
#pragma once

#include "backends/cpu/amx_tiles.h"

namespace grimace::cpu {

constexpr int64_t kPanel = 16;      // columns of b
constexpr int64_t kTilePairs = 16;  // steps of a tile along the inner dimension
constexpr int64_t kTileInner = 32;  // bf16 of them

inline int64_t rounded_up(int64_t count, int64_t to) {
  return (count + to - 1) / to * to;
}

// While it lives, the calling thread's registers are full tiles. Others that use tiles, oneDNN
// among them, configure them for themselves; releasing them spares the kernel their 8 KiB at
// every change of threads.
template <typename Unit>
struct TileSession {
  TileSession() { Unit::configure(whole_tiles()); }
  ~TileSession() { Unit::release(); }
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;
};

// Rows of bf16, `stride` bytes apart.
struct TileRows {
  const void* data;
  int64_t stride;
};

// Rows x Columns tiles of c at once. In two by two, which has C in registers 0 to 3, four loads
// feed four products: from the first-level cache they take 8 cycles of each product's 16; from
// the second about 21, which then is what bounds.
template <typename Unit, int Rows, int Columns>
inline void amx_block(int64_t steps, const char* a, int64_t a_stride, const char* b, float* c,
                      int64_t ldc, bool accumulate) {
  const int64_t panel = steps * kTileBytes;
  const int64_t c_stride = ldc * 4;
  float* const right = c + kPanel;
  float* const below = c + kTileRows * ldc;
  if (accumulate) {
    Unit::template load<0>(c, c_stride);
    if constexpr (Columns > 1) Unit::template load<1>(right, c_stride);
    if constexpr (Rows > 1) Unit::template load<2>(below, c_stride);
    if constexpr (Rows > 1 && Columns > 1) Unit::template load<3>(below + kPanel, c_stride);
  } else {
    Unit::template zero<0>();
    if constexpr (Columns > 1) Unit::template zero<1>();
    if constexpr (Rows > 1) Unit::template zero<2>();
    if constexpr (Rows > 1 && Columns > 1) Unit::template zero<3>();
  }
  for (int64_t s = 0; s < steps; s += kTilePairs, a += kTileBytes, b += kTilePairs * kTileBytes) {
    Unit::template load<4>(a, a_stride);
    Unit::template load<6>(b, kTileBytes);
    Unit::template dot<0, 4, 6>();
    if constexpr (Columns > 1) {
      Unit::template load<7>(b + panel, kTileBytes);
      Unit::template dot<1, 4, 7>();
    }
    if constexpr (Rows > 1) {
      Unit::template load<5>(a + kTileRows * a_stride, a_stride);
      Unit::template dot<2, 5, 6>();
    }
    if constexpr (Rows > 1 && Columns > 1) Unit::template dot<3, 5, 7>();
  }
  Unit::template store<0>(c, c_stride);
  if constexpr (Columns > 1) Unit::template store<1>(right, c_stride);
  if constexpr (Rows > 1) Unit::template store<2>(below, c_stride);
  if constexpr (Rows > 1 && Columns > 1) Unit::template store<3>(below + kPanel, c_stride);
}

// b: panels of 16 columns, each with the 16 words (pairs along the inner dimension) of step 0, of
// step 1, ...: a tile of b is 1 KiB in one piece. c has rows of ldc floats.
template <typename Unit>
[[gnu::noinline]] void amx_product(int64_t m, int64_t n, int64_t steps, TileRows a, const void* b,
                                   float* c, int64_t ldc, bool accumulate) {
  const auto* a_data = static_cast<const char*>(a.data);
  const auto* b_data = static_cast<const char*>(b);
  for (int64_t column = 0; column < n; column += 2 * kPanel) {
    const bool wide = column + kPanel < n;
    const char* panel = b_data + column * steps * 4;
    for (int64_t row = 0; row < m; row += 2 * kTileRows) {
      const bool tall = row + kTileRows < m;
      const auto block = tall ? (wide ? amx_block<Unit, 2, 2> : amx_block<Unit, 2, 1>)
                              : (wide ? amx_block<Unit, 1, 2> : amx_block<Unit, 1, 1>);
      block(steps, a_data + row * a.stride, a.stride, panel, c + row * ldc + column, ldc,
            accumulate);
    }
  }
}

}  // namespace grimace::cpu
