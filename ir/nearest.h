// What an error shows of an unknown name: "'lineal'; did you mean 'linear'?".
#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "ir/error.h"

namespace grimace {

// In quotes, its start where it is long (hostile).
inline std::string quoted(std::string_view text) {
  constexpr size_t kShown = 40;
  return cat("'", text.substr(0, kShown), text.size() > kShown ? "..." : "", "'");
}

// Insertions, deletions and replacements of a character that turn `a` into `b`.
inline size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// Only the start of a long (hostile) word counts. Empty when nothing is known.
inline std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  if (known.empty()) return {};
  const auto nearest = std::min_element(known.begin(), known.end(), [&](auto a, auto b) {
    return edit_distance(word.substr(0, 64), a) < edit_distance(word.substr(0, 64), b);
  });
  return cat("; did you mean '", *nearest, "'?");
}

}  // namespace grimace
