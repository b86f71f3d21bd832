// From predictions of masked cubes back to pixels, and the picture that shows them (spec 5.5).
// For viewing only: normalised targets borrow mean and deviation of the masked cubes from the
// original clip.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/image.h"

namespace grimace {

struct ReconstructionOptions {
  int patch = 16;
  bool normalised = true;  // targets normalised per cube and colour (spec 5.1)
  bool frame_diff = true;  // targets are differences to the first frame of a group (spec 5.2)
  int diff_group_size = 2;
  float difference_gain = 2.0f;  // differences are shown as 0.5 + gain * difference
};

// One clip's pixels, planar as the video: [3][frames][height][width], in [0, 1] where original.
struct PlanarVideo {
  int frames = 0, height = 0, width = 0;
  std::vector<float> values;
  size_t index(int colour, int frame, int y, int x) const {
    return ((static_cast<size_t>(colour) * frames + frame) * height + y) * width + x;
  }
};

struct Reconstruction {
  PlanarVideo original;
  PlanarVideo masked;  // masked cubes black
  PlanarVideo result;  // visible cubes original, masked cubes from the prediction
};

// video: normalised [3][frames][height][width] of one clip. mask: one byte per token, 1 = masked,
// tokens in raster order (frame pair, row, column). prediction: [masked tokens][2 * patch * patch
// * 3] in token order; inside a token frame, row, column, colour. Where a difference's group
// starts in another cube that is visible, the original's values stand for that cube's prediction.
// Error when sizes do not agree or do not tile.
Reconstruction reconstruct_clip(std::span<const float> video, int frames, int height, int width,
                                std::span<const uint8_t> mask, std::span<const float> prediction,
                                const ReconstructionOptions& options);

// One frame as a picture: clamped to [0, 0.996], times 255, truncated (spec 5.5).
Image frame_picture(const PlanarVideo& video, int frame);

// The difference of a frame to the first of its group, around mid-grey; that first frame itself
// is shown as it is.
Image difference_picture(const PlanarVideo& video, int frame, const ReconstructionOptions& options);

// Rows original, masked, reconstruction, and motion of the original and of the reconstruction; one
// column per chosen frame. Pixels of small frames are enlarged.
Image reconstruction_grid(const Reconstruction& clip, const std::vector<int>& chosen_frames,
                          const ReconstructionOptions& options);

// At most `count` frames spread evenly over the clip, each the last of its group, where motion
// shows best.
std::vector<int> motion_frames(int frames, int count, const ReconstructionOptions& options);

}  // namespace grimace
