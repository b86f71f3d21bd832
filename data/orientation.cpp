#include "data/orientation.h"

#include <cstdlib>
#include <cstring>
#include <utility>

namespace grimace {
namespace {

// Some writers round sines and cosines: this much of the large entry counts as zero.
bool is_zero_beside(int64_t small, int64_t large) {
  return large != 0 && std::abs(small) * 64 < std::abs(large);
}

}  // namespace

Orientation orientation_from(const std::array<int32_t, 9>& display_matrix) {
  const int64_t a = display_matrix[0], b = display_matrix[1];
  const int64_t c = display_matrix[3], d = display_matrix[4];
  if (is_zero_beside(b, a) && is_zero_beside(c, d)) return {false, a < 0, d < 0};
  if (is_zero_beside(a, b) && is_zero_beside(d, c)) return {true, c < 0, b < 0};
  return {};
}

Image oriented(Image stored, const Orientation& orientation) {
  if (orientation == Orientation{}) return stored;
  Image shown{stored.width, stored.height, std::vector<uint8_t>(stored.rgb.size())};
  if (orientation.transpose) std::swap(shown.width, shown.height);
  uint8_t* to = shown.rgb.data();
  for (int y = 0; y < shown.height; ++y)
    for (int x = 0; x < shown.width; ++x, to += 3) {
      int u = orientation.flip_x ? shown.width - 1 - x : x;
      int v = orientation.flip_y ? shown.height - 1 - y : y;
      if (orientation.transpose) std::swap(u, v);
      std::memcpy(to, stored.rgb.data() + (int64_t{v} * stored.width + u) * 3, 3);
    }
  return shown;
}

}  // namespace grimace
