// Stands in for data/video_support.cpp in a build without FFmpeg.
#include "data/video_support.h"

namespace grimace {

std::optional<VideoSupport> video_support() {
  return std::nullopt;
}

}  // namespace grimace
