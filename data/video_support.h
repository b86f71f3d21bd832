// What the FFmpeg of this machine can do, for people to see.
#pragma once

#include <optional>
#include <string>

namespace grimace {

struct VideoSupport {
  std::string ffmpeg;  // its version, as it names itself
  bool h264_decoder = false;
  bool h264_encoder = false;  // without it, synthetic clips are MPEG-4 part 2
};

// Nothing in a build without FFmpeg.
std::optional<VideoSupport> video_support();

}  // namespace grimace
