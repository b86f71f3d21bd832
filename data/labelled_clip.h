// Which frames of a labelled clip the classifier sees, in training and in tests, and how they are
// read. Source: spec 8.3.1, 8.3.2, 8.6. All randomness comes from the stream passed in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/frame_source.h"
#include "data/resize.h"
#include "ir/philox.h"

namespace grimace {

struct FrameConfig {
  int frames = 16;
  int sampling_rate = 4;  // frames of the clip for each that is taken
  int image_size = 160;   // side of the square result in pixels
};
void validate(const FrameConfig& config);  // Error naming the value out of range

// Training and validation: `frames` indices evenly spaced over the frames * sampling_rate that
// end before `end`. A clip that is not longer than these is taken whole, and its last frame
// repeated (`end` is not used then).
std::vector<int64_t> training_indices(int64_t frame_count, int64_t end, const FrameConfig& config);
int64_t draw_end(int64_t frame_count, const FrameConfig& config, PhiloxStream& random);

// Tests: `frames` of every sampling_rate-th frame, from the start for segment 0 to the end for
// segment `segments` - 1; a short clip's last sampled frame is repeated.
std::vector<int64_t> view_indices(int64_t frame_count, int segment, int segments,
                                  const FrameConfig& config);
// Crop `crop` of `crops` along the longer side. The reference divides by zero for one crop; here
// it starts at 0, as for segments.
Box view_box(int width, int height, int image_size, int crop, int crops);

// The frames resized to image_size x image_size whatever their shape (Pillow's bilinear).
std::vector<Image> read_square(FrameSource& source, const std::vector<int64_t>& indices,
                               int image_size);

}  // namespace grimace
