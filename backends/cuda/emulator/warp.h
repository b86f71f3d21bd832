// What the lanes of a warp do together: shuffles, votes, tensor-core products, matrix loads; and
// the background copies of a thread. Lanes that disagree about what they do together, or that a
// mask names and the warp lacks, are an InternalError.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "ir/float16.h"

namespace grimace::cuda::emulator {

// One thing that lanes do together. The last lane to come completes it for all: `lanes[i]` is what
// lane i brought, for each lane in the mask.
struct Meeting {
  const char* name;
  void (*complete)(unsigned mask, void* const* lanes);
};
void meet(const Meeting& meeting, unsigned mask, void* mine);
void forget_meetings();  // of a block that failed

enum class Shuffle { to, across };
uint32_t shuffle(Shuffle how, unsigned mask, uint32_t value, int operand);
template <typename T>
T shuffle_value(Shuffle how, unsigned mask, T value, int operand) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, float>,
                "shuffles are of int, unsigned and float");
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = shuffle(how, mask, bits, operand);
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}
unsigned ballot(unsigned mask, bool vote);

// As mma.h describes them.
void mma_16x8x16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void load_matrices(uint32_t (&r)[4], const void* row, bool transposed);
void copy_16(void* shared, const void* global, bool zeros);
void copies_commit();
void copies_wait(int most);
void forget_copies();  // those that a block did not wait for never arrive

inline uint16_t bf16_bits(float v) {
  return bf16(v).bits;
}
inline uint16_t f16_bits(float v) {
  return f16(v).bits;
}
inline float f16_value(uint16_t bits) {
  f16 v;
  v.bits = bits;
  return static_cast<float>(v);
}

}  // namespace grimace::cuda::emulator

template <typename T>
T __shfl_sync(unsigned mask, T value, int lane) {
  using namespace grimace::cuda::emulator;
  return shuffle_value(Shuffle::to, mask, value, lane);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
  using namespace grimace::cuda::emulator;
  return shuffle_value(Shuffle::across, mask, value, bits);
}
void __syncwarp(unsigned mask = 0xffffffffu);
inline unsigned __ballot_sync(unsigned mask, int vote) {
  return grimace::cuda::emulator::ballot(mask, vote != 0);
}
