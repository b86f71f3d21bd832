#include "backends/cpu/emulated_tiles.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "ir/error.h"

namespace grimace::cpu {
namespace {

constexpr int kWords = kTileBytes / 4;

struct Unit {
  TileConfig config{.palette = 0};  // the initial state: no register has a shape
  Tile tiles[kTiles]{};
};
thread_local Unit unit;

void fault_unless(bool fine, std::string_view what, int tile) {
  if (!fine) throw InternalError(cat("tile ", tile, ": ", what));
}

// Rows and bytes of a register that may be used.
struct TileShape {
  int rows;
  int bytes;
};
TileShape shape_of(int tile) {
  fault_unless(unit.config.palette == 1, "used before tiles were configured", tile);
  const TileShape shape{unit.config.rows[tile], unit.config.row_bytes[tile]};
  fault_unless(shape.rows > 0 && shape.bytes > 0, "used, but has no shape", tile);
  return shape;
}

uint32_t flushed(uint32_t bits) {
  return (bits & 0x7f800000u) == 0 ? bits & 0x80000000u : bits;
}
float flushed(float x) {
  return std::bit_cast<float>(flushed(std::bit_cast<uint32_t>(x)));
}
float low(uint32_t word) {
  return std::bit_cast<float>(flushed(word << 16));
}
float high(uint32_t word) {
  return std::bit_cast<float>(flushed(word & 0xffff0000u));
}

}  // namespace

// The target has fused multiply-adds as an instruction; the library's take far longer.
[[gnu::target("avx2,fma")]] void add_tile_product(Tile& c, const Tile& a, const Tile& b, int rows,
                                                  int columns, int pairs) {
  for (int m = 0; m < rows; ++m) {
    float even[kWords]{};
    float odd[kWords]{};
    for (int k = 0; k < pairs; ++k) {
      const uint32_t pair = a.word[m][k];
      for (int n = 0; n < columns; ++n) {
        const uint32_t column = b.word[k][n];
        even[n] = flushed(__builtin_fmaf(low(pair), low(column), even[n]));
        odd[n] = flushed(__builtin_fmaf(high(pair), high(column), odd[n]));
      }
    }
    for (int n = 0; n < kWords; ++n) {
      if (n >= columns) {
        c.word[m][n] = 0;
        continue;
      }
      const float old = std::bit_cast<float>(flushed(c.word[m][n]));
      const float sum = flushed(old + flushed(even[n] + odd[n]));
      c.word[m][n] = std::bit_cast<uint32_t>(sum);
    }
  }
}

void EmulatedTiles::configure(const TileConfig& config) {
  const TileConfig none{.palette = 0};
  fault_unless(config.palette == 1, "the palette must be 1", 0);
  fault_unless(config.start_row == 0, "the first row must be 0", 0);
  fault_unless(std::memcmp(config.reserved, none.reserved, sizeof(none.reserved)) == 0,
               "reserved bytes of the configuration must be 0", 0);
  for (int t = 0; t < 16; ++t) {
    fault_unless(config.rows[t] <= kTileRows && config.row_bytes[t] <= kTileBytes,
                 "at most 16 rows of 64 bytes", t);
    fault_unless((config.rows[t] == 0) == (config.row_bytes[t] == 0),
                 "rows without bytes, or bytes without rows", t);
    fault_unless(t < kTiles || config.rows[t] == 0, "there are 8", t);
  }
  unit = {.config = config};
}

void EmulatedTiles::release() {
  unit = {};
}

void EmulatedTiles::zero_tile(int tile) {
  shape_of(tile);
  unit.tiles[tile] = {};
}

void EmulatedTiles::load_tile(int tile, const void* from, int64_t stride) {
  const TileShape shape = shape_of(tile);
  Tile loaded{};
  for (int r = 0; r < shape.rows; ++r)
    std::memcpy(loaded.word[r], static_cast<const char*>(from) + r * stride,
                static_cast<size_t>(shape.bytes));
  unit.tiles[tile] = loaded;
}

void EmulatedTiles::store_tile(int tile, void* to, int64_t stride) {
  const TileShape shape = shape_of(tile);
  for (int r = 0; r < shape.rows; ++r)
    std::memcpy(static_cast<char*>(to) + r * stride, unit.tiles[tile].word[r],
                static_cast<size_t>(shape.bytes));
}

void EmulatedTiles::dot_tiles(int c, int a, int b) {
  const TileShape cs = shape_of(c);
  const TileShape as = shape_of(a);
  const TileShape bs = shape_of(b);
  fault_unless(c != a && c != b && a != b, "the tiles of a product must be three", c);
  fault_unless(cs.bytes % 4 == 0 && as.bytes % 4 == 0 && bs.bytes % 4 == 0, "rows of whole words",
               c);
  fault_unless(as.rows == cs.rows, "A and C must have the same rows", c);
  fault_unless(as.bytes / 4 == bs.rows, "A must have as many pairs as B has rows", c);
  fault_unless(bs.bytes == cs.bytes, "B and C must have the same columns", c);
  add_tile_product(unit.tiles[c], unit.tiles[a], unit.tiles[b], cs.rows, cs.bytes / 4, bs.rows);
}

}  // namespace grimace::cpu
