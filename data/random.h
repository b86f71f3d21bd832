// Random streams of the data pipeline. Every draw is a pure function of (seed, purpose, epoch,
// index), so that neither the number of workers nor a resume changes what a run sees.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "ir/philox.h"

namespace grimace {

// `attempt` tells apart repeated draws for the same index.
inline PhiloxStream data_stream(uint64_t seed, std::string_view purpose, int64_t epoch,
                                int64_t index, int64_t attempt = 0) {
  const uint64_t key = stream_id(purpose) + static_cast<uint64_t>(attempt);
  const auto mixed = philox(key, static_cast<uint64_t>(epoch), static_cast<uint64_t>(index));
  return {seed, (uint64_t{mixed[0]} << 32) | mixed[1]};
}

// Fisher-Yates: every order is equally likely.
template <typename T>
void shuffle(std::span<T> items, PhiloxStream& random) {
  for (size_t left = items.size(); left > 1; --left)
    std::swap(items[left - 1], items[random.below(left)]);
}

}  // namespace grimace
