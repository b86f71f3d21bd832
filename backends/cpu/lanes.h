// Reductions that become vectors without leaving IEEE arithmetic: element i goes to partial i % 32
// and the partials fold pairwise (fewer than 32 elements are taken in order), so the order of
// additions is the same on every instruction set.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace grimace::cpu {

constexpr int kLanes = 32;

template <typename Term, typename Combine>
inline float lane_reduce(int64_t count, float start, const Term& term, const Combine& combine) {
  if (count < kLanes) {  // too short to gain anything from lanes
    for (int64_t i = 0; i < count; ++i) start = combine(start, term(i));
    return start;
  }
  float lane[kLanes];
  for (float& value : lane) value = start;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] = combine(lane[l], term(i + l));
  for (int l = 0; i < count; ++i, ++l) lane[l] = combine(lane[l], term(i));
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lane[l] = combine(lane[l], lane[l + half]);
  return lane[0];
}

// The sum of term(0..count-1).
template <typename Term>
inline float lane_sum(int64_t count, const Term& term) {
  return lane_reduce(count, 0.0f, term, [](float a, float b) { return a + b; });
}

template <typename Term>
inline float lane_max(int64_t count, const Term& term) {
  return lane_reduce(count, -std::numeric_limits<float>::infinity(), term,
                     [](float a, float b) { return a < b ? b : a; });
}

}  // namespace grimace::cpu
