// The tile unit of AMX: eight registers of up to 16 rows of 64 bytes, and c += a b of bf16 pairs,
// 16384 multiply-adds an instruction (Intel SDM volume 2, TDPBF16PS). What is computed with it is a
// template over the unit, AmxTiles here or EmulatedTiles (emulated_tiles.h), which does the same in
// plain C++ and so proves the loops on any machine. Units hold the state of the calling thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace grimace::cpu {

constexpr int kTiles = 8;
constexpr int64_t kTileRows = 16;
constexpr int64_t kTileBytes = 64;  // a row

// As ldtilecfg reads it: the shape of every register.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14]{};
  uint16_t row_bytes[16]{};
  uint8_t rows[16]{};
};

// All eight registers in full.
inline TileConfig whole_tiles() {
  TileConfig config;
  std::fill_n(config.row_bytes, kTiles, static_cast<uint16_t>(kTileBytes));
  std::fill_n(config.rows, kTiles, static_cast<uint8_t>(kTileRows));
  return config;
}

// Written as assembly because the intrinsics of g++ 12 take no template argument for a register,
// and its loads do not tell the compiler that they read memory.
struct AmxTiles {
  static void configure(const TileConfig& config) { asm volatile("ldtilecfg %0" ::"m"(config)); }
  static void release() { asm volatile("tilerelease" ::); }
  template <int T>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(T));
  }
  // Rows `stride` bytes apart.
  template <int T>
  static void load(const void* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(T) : "memory");
  }
  template <int T>
  static void store(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(T) : "memory");
  }
  // f32 C[m][n] += sum over k of bf16 A[m][2k] B[k][2n] + A[m][2k+1] B[k][2n+1].
  template <int C, int A, int B>
  static void dot() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
  }
};

}  // namespace grimace::cpu
