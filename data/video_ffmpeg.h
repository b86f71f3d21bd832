// What the FFmpeg readers share: owning handles, quiet logs, decoders with limits, and the
// conversion of a decoded frame to RGB. Included by *video* sources only.
#pragma once

#include <memory>
#include <string>

#include "data/image.h"
#include "data/orientation.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

namespace grimace::ffmpeg {

struct Free {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
template <typename T>
using Handle = std::unique_ptr<T, Free>;

// FFmpeg's own messages go nowhere: our Errors say what is wrong, once.
void silence();
std::string reason(int code);  // FFmpeg's text for a negative status
Handle<AVPacket> make_packet();
Handle<AVFrame> make_frame();

// A decoder that refuses frames beyond the size limits. `stream` may be null (pictures).
Handle<AVCodecContext> open_decoder(const std::string& file, AVCodecID codec,
                                    const AVCodecParameters* stream, int threads);

// How the stream's frames are to be turned for display.
Orientation orientation_of(const AVStream& stream);

// Converts frames to RGB at their own size, with the frame's colour matrix and range. The
// arithmetic is FFmpeg's bit-exact one, so all machines get the same pixels.
class RgbConverter {
 public:
  Image convert(const std::string& file, const AVFrame& frame);  // Error on a size out of limits

 private:
  Handle<SwsContext> scaler_;
};

}  // namespace grimace::ffmpeg
