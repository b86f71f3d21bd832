#include "data/frame_stream.h"

#include <unistd.h>

#include "data/frame_source.h"
#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

// Pictures are read one by one.
class PictureStream : public FrameStream {
 public:
  PictureStream(std::unique_ptr<FrameSource> pictures, double frames_per_second)
      : pictures_(std::move(pictures)), rate_(frames_per_second) {}

  bool next() override { return ++number_ < pictures_->frame_count(); }
  double seconds() const override { return static_cast<double>(number_) / rate_; }
  Image image() override {
    const int64_t wanted[] = {number_};
    return std::move(pictures_->read(wanted).front());
  }
  double frames_per_second() const override { return rate_; }

 private:
  std::unique_ptr<FrameSource> pictures_;
  double rate_;
  int64_t number_ = -1;
};

}  // namespace

std::unique_ptr<FrameStream> open_frame_stream(const fs::path& path,
                                               const FrameStreamConfig& config) {
  if (path == "-") return open_video_stream(STDIN_FILENO, config);
  if (is_video_path(path)) return open_video_stream(path, config);
  return std::make_unique<PictureStream>(open_frames(path), config.frames_per_second);
}

}  // namespace grimace
