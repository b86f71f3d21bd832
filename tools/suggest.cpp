#include "tools/suggest.h"

#include <algorithm>
#include <numeric>

namespace grimace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] != b[j])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

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
