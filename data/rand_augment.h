// RandAugment: a few random changes of colour or geometry, the same for all frames of a clip.
// Source: spec 8.4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/image.h"
#include "ir/philox.h"

namespace grimace {

// In the order of spec 8.4. The last four are of the "increasing" form where there are two.
enum class RandOp : uint8_t {
  auto_contrast,
  equalize,
  invert,
  rotate,        // argument in degrees, counter-clockwise
  posterize,     // bits kept
  solarize,      // threshold
  solarize_add,  // what is added
  color,         // this and the next three: enhancement factor
  contrast,
  brightness,
  sharpness,
  shear_x,  // this and the next: columns per row, rows per column
  shear_y,
  translate_x,  // this and the next: fraction of the width, of the height
  translate_y,
};
constexpr int kRandOps = 15;

struct RandAugmentConfig {
  int layers = 4;              // operations drawn for a clip, each applied with probability 0.5
  double magnitude = 7;        // of 10
  double magnitude_std = 0.5;  // standard deviation of each operation's own magnitude
  bool operator==(const RandAugmentConfig&) const = default;
};

// Reads "rand-m7-n4-mstd0.5-inc1". Without m 10, without n 2, without mstd 0. Error naming the
// field that is unknown or out of range, or when "inc" is missing: only those operations exist.
RandAugmentConfig parse_rand_augment(std::string_view text);

struct AugmentStep {
  RandOp op = RandOp::auto_contrast;
  double argument = 0;
};

// The operation at magnitude 0..10. `negative` is the sign of those that have one.
AugmentStep augment_step(RandOp op, double magnitude, bool negative);
// The operations of one clip; those that chance leaves out are not in the result.
std::vector<AugmentStep> draw_rand_augment(const RandAugmentConfig& config, PhiloxStream& random);
Image apply(const AugmentStep& step, const Image& image);

}  // namespace grimace
