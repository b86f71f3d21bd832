// Operations on 8-bit RGB pictures with the exact pixels of Pillow, for RandAugment (spec 8.4).
// The functions of Pillow are named; where it rounds, so do these, at the same places.
#pragma once

#include <array>
#include <cstdint>

#include "data/image.h"

namespace grimace {

// Output value of each input value, one table per colour.
using PixelTables = std::array<std::array<uint8_t, 256>, 3>;
Image map_pixels(const Image& image, const PixelTables& tables);

Image auto_contrast(const Image& image);  // ImageOps.autocontrast: stretch to 0..255, per colour
Image equalize(const Image& image);       // ImageOps.equalize, per colour
Image invert(const Image& image);
Image posterize(const Image& image, int bits);      // keep that many high bits, 0..8
Image solarize(const Image& image, int threshold);  // invert values >= threshold
// Adds to values < 128 and caps at 255; `add` >= 0.
Image solarize_add(const Image& image, int add);

// ImageEnhance: 1 gives the image, 0 its degenerate form (grey picture, flat grey of its mean,
// black, smoothed), and other factors continue that line, clipped to 0..255.
Image enhance_color(const Image& image, float factor);
Image enhance_contrast(const Image& image, float factor);
Image enhance_brightness(const Image& image, float factor);
Image enhance_sharpness(const Image& image, float factor);

// Output pixel centre (x, y) shows input place (a x + b y + c, d x + e y + f): Image.transform with
// AFFINE and BICUBIC (a = -1, so with overshoot), grey (128, 128, 128) where that is outside.
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
};
Image affine(const Image& image, const Affine& map);
Image rotate(const Image& image, double degrees);  // Image.rotate: counter-clockwise, same size

}  // namespace grimace
