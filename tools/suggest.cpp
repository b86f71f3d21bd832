#include "tools/suggest.h"

#include <algorithm>

namespace grimace {

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  word = word.substr(0, 64);  // keeps the cost of a hostile word small
  if (word.size() < 2) return {};
  std::string best;
  size_t nearest = std::max<size_t>(word.size() / 2, 1) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = candidate.starts_with(word) ? 0 : edit_distance(word, candidate);
    if (distance >= nearest) continue;
    nearest = distance;
    best = candidate;
  }
  return best;
}

}  // namespace grimace
