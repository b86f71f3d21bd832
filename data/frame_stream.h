// The frames of a clip one after another, once, with their times: what works on videos of any
// length reads them this way. For frames by their numbers see data/frame_source.h.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>

#include "data/image.h"

namespace grimace {

class FrameStream {
 public:
  virtual ~FrameStream() = default;
  virtual bool next() = 0;             // goes to the next frame; false after the last
  virtual double seconds() const = 0;  // from the first frame to this one, ascending
  virtual Image image() = 0;           // this frame's pixels
  virtual double frames_per_second() const = 0;
};

struct FrameStreamConfig {
  double frames_per_second = 25;            // of folders, and of videos that do not say
  int threads = 1;                          // the video decoder's
  const std::atomic<bool>* stop = nullptr;  // ends the wait for a stream's next frame
};

// A folder of pictures in order of their names, a picture or a video as open_frames takes them, or
// "-": a video on standard input. Error naming the path when there is nothing that can be read.
std::unique_ptr<FrameStream> open_frame_stream(const std::filesystem::path& path,
                                               const FrameStreamConfig& config);

// A video file, or what comes through file descriptor `fd`.
std::unique_ptr<FrameStream> open_video_stream(const std::filesystem::path& file,
                                               const FrameStreamConfig& config);
std::unique_ptr<FrameStream> open_video_stream(int fd, const FrameStreamConfig& config);

}  // namespace grimace
