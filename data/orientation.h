// How a video wants its frames turned for display. A phone held upright records frames that lie on
// their side, and the container says so in a display matrix.
#pragma once

#include <array>
#include <cstdint>

#include "data/image.h"

namespace grimace {

// A quarter turn, mirroring or both: element (x, y) of the picture shown is element (u, v) of the
// stored one, where (u, v) is (x, y), or (y, x) if transposed, counted from the far side if
// flipped.
struct Orientation {
  bool transpose = false;
  bool flip_x = false;  // of the picture shown
  bool flip_y = false;

  bool operator==(const Orientation&) const = default;
};

// From a display matrix as containers store it, [a b u; c d v; x y w] with a to d in 16.16 fixed
// point: (x, y) shown = (u, v) stored * [a b; c d]. A matrix that is not one of the eight gives the
// frames as they are stored: pixels are never interpolated.
Orientation orientation_from(const std::array<int32_t, 9>& display_matrix);

Image oriented(Image stored, const Orientation& orientation);

}  // namespace grimace
