// Writes RGB frames to an mp4 file: H.264 where FFmpeg has libx264, otherwise MPEG-4 part 2, which
// every FFmpeg has. The same frames give the same bytes with the same FFmpeg.
#pragma once

#include <filesystem>
#include <memory>

#include "data/image.h"

namespace grimace {

class VideoWriter {
 public:
  // Writes beside `path` until finish(). Sides must be even; frames_per_second in 1..240.
  // Error when the place cannot be written, RunError when FFmpeg fails or anything but a regular
  // file is there.
  VideoWriter(const std::filesystem::path& path, int width, int height, int frames_per_second);
  ~VideoWriter();  // without finish(), nothing is left behind
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  void add(const Image& frame);
  void finish();  // completes the file and moves it to its name

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grimace
