// Cropping and resizing with the exact pixels of Pillow's `crop(box).resize(size, BILINEAR)`.
// Source: spec 8.5.
#pragma once

#include "data/image.h"

namespace grimace {

struct Box {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
  bool operator==(const Box&) const = default;
};

Image crop(const Image& image, const Box& box);  // InternalError unless the box lies inside

// Triangle filter, widened by the scale when shrinking (antialiased); centres at (i + 0.5) * scale;
// weights in 22-bit fixed point; horizontal pass first, its result rounded to 8 bits.
// Only the pixels inside `box` take part. Pillow 13 takes the vertical pass first when the
// height shrinks by more than twice as many pixels as the width, which may change a value by 1.
Image resize(const Image& image, const Box& box, int width, int height);

}  // namespace grimace
