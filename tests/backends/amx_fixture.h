// What tests of AMX instructions share: on the processor's AMX where there is one, elsewhere by a
// trap.
#pragma once

#include <cpuid.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "backends/cpu/amx_tiles.h"
#include "backends/cpu/isa.h"
#include "tests/backends/trapped_tiles.h"

namespace grimace::testing {

// Leaf 7, EDX bit 24.
inline bool processor_has_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 24 & 1) != 0;
}

// Registers are released after every test.
class AmxInstructions : public ::testing::Test {
 protected:
  void SetUp() override {
    if (runs_here(cpu::Isa::amx)) return;
    if (!runs_here(cpu::Isa::avx2)) GTEST_SKIP() << "the trap multiplies with avx2";
    if (processor_has_tiles()) GTEST_SKIP() << "this process may not use the machine's AMX";
    trap_.emplace();
  }
  void TearDown() override {
    if (!IsSkipped()) cpu::AmxTiles::release();
  }
  bool trapped() const { return trap_.has_value(); }

 private:
  std::optional<TrappedTiles> trap_;
};

// Sets a register's shape.
inline void shape(cpu::TileConfig& config, int tile, int rows, int bytes) {
  config.rows[tile] = static_cast<uint8_t>(rows);
  config.row_bytes[tile] = static_cast<uint16_t>(bytes);
}

// Register 0 has `rows` whole rows, the others have none.
inline cpu::TileConfig of_rows(int rows) {
  cpu::TileConfig config;
  shape(config, 0, rows, 64);
  return config;
}

// bf16 of random signs, fractions and exponents in [least, most], as the bits that hold them.
inline uint32_t random_pair(std::mt19937& generator, uint32_t least, uint32_t most) {
  const auto half = [&] {
    const uint32_t exponent = least + static_cast<uint32_t>(generator()) % (most - least + 1);
    return (static_cast<uint32_t>(generator()) & 0x807fu) | exponent << 7;
  };
  const uint32_t low = half();
  return low | half() << 16;
}

}  // namespace grimace::testing
