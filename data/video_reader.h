// Reads chosen frames of a video file with the FFmpeg libraries.
#pragma once

#include <filesystem>
#include <memory>

#include "data/frame_source.h"

namespace grimace {

// Opens the first video stream. Frames are in order of presentation; rotation tags are ignored.
// Where the container's packets tell which frames there are, only packets are read to count them
// and reading seeks to the key frame before each wanted frame; otherwise everything is decoded.
// Error naming the file when it is truncated, damaged, or has no video frames.
std::unique_ptr<FrameSource> open_video(const std::filesystem::path& file, int threads);

}  // namespace grimace
