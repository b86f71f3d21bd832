// Videos as streams of frames.
#include <cmath>
#include <optional>

#include "data/frame_stream.h"
#include "data/video_decoder.h"

namespace grimace {
namespace {

constexpr double kHighestRate = 1000;  // frames a second; more is a container's mistake

class VideoStream : public FrameStream {
 public:
  VideoStream(std::unique_ptr<VideoDecoder> video, double rate_unless_told)
      : video_(std::move(video)), rate_(rate_unless_told) {
    AVStream* stream = video_->format().streams[video_->stream()];
    unit_ = av_q2d(stream->time_base);
    const double told = av_q2d(av_guess_frame_rate(&video_->format(), stream, nullptr));
    if (std::isfinite(told) && told > 0 && told <= kHighestRate) rate_ = told;
  }

  bool next() override {
    if (!video_->next()) return false;
    const int64_t time = video_->frame().best_effort_timestamp;
    double told = -1;
    if (time != AV_NOPTS_VALUE) {
      if (!first_) first_ = time;
      told = (static_cast<double>(time) - static_cast<double>(*first_)) * unit_;
    }
    // Times that are missing or go back are replaced by the frame rate's.
    seconds_ = std::isfinite(told) && told > seconds_ ? told : seconds_ + 1 / rate_;
    if (number_++ == 0) seconds_ = 0;
    return true;
  }
  double seconds() const override { return seconds_; }
  Image image() override { return video_->picture(); }
  double frames_per_second() const override { return rate_; }

 private:
  std::unique_ptr<VideoDecoder> video_;
  double rate_;
  double unit_ = 0;               // seconds of one tick of the stream's clock
  std::optional<int64_t> first_;  // time of the first frame that has one
  int64_t number_ = 0;
  double seconds_ = 0;
};

}  // namespace

std::unique_ptr<FrameStream> open_video_stream(const std::filesystem::path& file,
                                               const FrameStreamConfig& config) {
  return std::make_unique<VideoStream>(
      std::make_unique<VideoDecoder>(file.string(), config.threads), config.frames_per_second);
}

std::unique_ptr<FrameStream> open_video_stream(int fd, const FrameStreamConfig& config) {
  return std::make_unique<VideoStream>(
      std::make_unique<VideoDecoder>("standard input", fd, config.stop, config.threads),
      config.frames_per_second);
}

}  // namespace grimace
