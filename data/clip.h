// From a clip's frames to the pre-training input: which frames, which crop, which numbers.
// Source: spec 8.2, in its order. All randomness comes from the stream passed in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/frame_source.h"
#include "data/resize.h"
#include "ir/philox.h"
#include "ir/pixels.h"

namespace grimace {

struct ClipConfig {
  int frames = 16;
  int sampling_rate = 4;   // video frames per clip frame
  int image_size = 160;    // side of the square result in pixels
  int num_samples = 1;     // clips drawn from each video
  bool augment = true;     // the multi-scale crop; without it the whole frame is resized
  bool voxceleb2 = false;  // first cut VoxCeleb2's fixed face box out of its 224x224 frames
  bool one_size = true;    // frames of a clip must not differ in size; fine-tuning lets them
};

// Spreads one image over three colour planes, normalised; planes are `plane_stride` floats apart.
void normalise(const Image& image, float* out, int64_t plane_stride);
// The same of clips as bytes [n][3][frames, height, width].
void normalise(std::span<const uint8_t> clips, int64_t plane, std::span<float> out);

void validate(const ClipConfig& config);  // Error naming the value out of range

// Whether the list's path contains "voxceleb2" in any case.
bool names_voxceleb2(const std::filesystem::path& list);

// The first frame of each of `num_samples` clips of a video with `frame_count` frames.
std::vector<int64_t> draw_starts(int64_t frame_count, const ClipConfig& config,
                                 PhiloxStream& random);
// `frames` indices from `start` on; a short video repeats the last one that can be reached.
std::vector<int64_t> clip_indices(int64_t frame_count, int64_t start, const ClipConfig& config);

// The face box of VoxCeleb2 frames: 160x160 for image sizes up to 160, 192x192 up to 192, the
// whole frame above. Error naming the file when its frames are too small for that.
Box voxceleb2_box(const std::string& file, int width, int height, int image_size);

// One of the multi-scale crops of a frame: a size from {1, 0.875, 0.75, 0.66} of the shorter side
// for each axis, at most one step apart, at one of 13 fixed places. A size within 2 pixels of
// `image_size` becomes it, unless the frame is smaller.
Box draw_crop(int width, int height, int image_size, PhiloxStream& random);

// Writes [num_samples][3][frames][image_size][image_size] bytes to `out`. All frames of a video get
// the same crop. Error naming the file when it cannot be used.
void load_clips(const std::filesystem::path& file, int threads, const ClipConfig& config,
                PhiloxStream& random, std::span<uint8_t> out);
int64_t clip_values(const ClipConfig& config);  // bytes of one clip

}  // namespace grimace
