// Where a clip's pictures come from: a video file, a folder of frames, or one picture.
// Source: spec 8.1.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"

namespace grimace {

class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // Exact: every index in 0..frame_count()-1 can be read.
  virtual int64_t frame_count() const = 0;
  // The frames at `indices` (any order, repeats allowed), 8-bit RGB. The pixels of a frame do not
  // depend on what was read before. Error naming the file where it is damaged.
  virtual std::vector<Image> read(std::span<const int64_t> indices) = 0;
};

// Opens a folder of .jpg/.png frames (in order of their names), one .jpg/.png picture (which
// counts as kStillFrames equal frames) or a video. `threads` are the video decoder's.
// Error naming the path when there is nothing that can be read.
std::unique_ptr<FrameSource> open_frames(const std::filesystem::path& path, int threads = 1);

// Whether open_frames takes the path for a video. Error unless it is a regular file or a folder.
bool is_video_path(const std::filesystem::path& path);

constexpr int64_t kStillFrames = 16;
constexpr int64_t kMaxFrames = 1'000'000;

// Sides in 16..8192 and at most 4096 x 4096 pixels: less shows no face, more is an attack on
// memory. Error naming the file.
void check_frame_size(const std::string& file, int64_t width, int64_t height);
constexpr int64_t kMaxFramePixels = int64_t{4096} * 4096;

// InternalError unless every index is in 0..count-1.
void check_frame_indices(std::span<const int64_t> indices, int64_t count);

}  // namespace grimace
