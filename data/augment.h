// Random changes of a normalised clip in training: where it is cropped, whether it is mirrored,
// what is erased. Drawing and doing are apart. Source: spec 8.3.5 to 8.3.7.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/rand_augment.h"
#include "data/resize.h"
#include "ir/philox.h"

namespace grimace {

// The reference's names where it has them; intervals are closed.
struct AugmentConfig {
  std::optional<RandAugmentConfig> aa = RandAugmentConfig{};  // parse_rand_augment; none: off
  std::array<double, 2> crop_area{0.08, 1.0};       // fraction of the frame; {1, 1} keeps all of it
  std::array<double, 2> crop_aspect{0.75, 1.3333};  // width / height
  double flip = 0.5;                                // probability of the mirror image
  double reprob = 0.25;                             // probability of random erasing
  int recount = 1;                                  // boxes erased then, sharing the area
};
void validate(const AugmentConfig& config);  // Error naming the value out of range

// Up to ten tries at a box of random area and shape that fits; then the largest central box of
// an allowed shape.
Box draw_resized_crop(int width, int height, const AugmentConfig& config, PhiloxStream& random);

// The boxes to erase in a frame, none with probability 1 - reprob. A box for which a hundred
// tries do not fit is left out.
std::vector<Box> draw_erasing(int width, int height, const AugmentConfig& config,
                              PhiloxStream& random);

// `in` is a plane [height][width]. Writes the part in `box`, mirrored where asked, as a plane
// out_height x out_width: bilinear between the two nearest pixels of the box per axis, half-pixel
// centres, no antialiasing.
void resize_plane(std::span<const float> in, int width, const Box& box, bool mirror,
                  std::span<float> out, int out_height, int out_width);

// Fills the box of every plane of `clip` [planes][height][width] with independent N(0,1) noise.
void erase(std::span<float> clip, int height, int width, const Box& box, PhiloxStream& random);

// Steps 3 to 7 of spec 8.3 on square frames of equal size: writes [3][frames][size][size].
void augment_clip(const std::vector<Image>& frames, const AugmentConfig& config,
                  PhiloxStream& random, std::span<float> out);

}  // namespace grimace
