// The tile unit of AMX in plain C++, for machines without one: GRIMACE_ISA=amx-emulated, and the
// tests. Values and errors are those of the manual (Intel SDM volume 2): even and odd elements of a
// row are summed apart with fused multiply-adds, then together, then onto C; every sum rounds to
// nearest even; denormals count as zeros and become zeros. Where the processor would fault there
// is an InternalError. Slower than the instructions by orders of magnitude.
#pragma once

#include "backends/cpu/amx_tiles.h"

namespace grimace::cpu {

// A register.
struct Tile {
  uint32_t word[kTileRows][kTileBytes / 4];
};

// `rows` rows of `columns` words of c += those of a, of `pairs` words, times b. It never fails and
// touches nothing else, so that signal handlers may call it.
void add_tile_product(Tile& c, const Tile& a, const Tile& b, int rows, int columns, int pairs);

class EmulatedTiles {
 public:
  static void configure(const TileConfig& config);
  static void release();
  template <int T>
  static void zero() {
    zero_tile(T);
  }
  template <int T>
  static void load(const void* from, int64_t stride) {
    load_tile(T, from, stride);
  }
  template <int T>
  static void store(void* to, int64_t stride) {
    store_tile(T, to, stride);
  }
  template <int C, int A, int B>
  static void dot() {
    dot_tiles(C, A, B);
  }

 private:
  static void zero_tile(int tile);
  static void load_tile(int tile, const void* from, int64_t stride);
  static void store_tile(int tile, void* to, int64_t stride);
  static void dot_tiles(int c, int a, int b);
};

}  // namespace grimace::cpu
