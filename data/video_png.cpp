// PNG encoding with FFmpeg's encoder.
#include <algorithm>

#include "data/image.h"
#include "data/video_ffmpeg.h"
#include "ir/error.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace grimace {

std::vector<uint8_t> encode_png(const Image& image) {
  ffmpeg::silence();
  const AVCodec* png = avcodec_find_encoder(AV_CODEC_ID_PNG);
  check(png != nullptr, "this FFmpeg has no PNG encoder; install the full libavcodec package");
  const ffmpeg::Handle<AVCodecContext> codec(avcodec_alloc_context3(png));
  const ffmpeg::Handle<AVFrame> frame = ffmpeg::make_frame();
  const ffmpeg::Handle<AVPacket> packet = ffmpeg::make_packet();
  if (!codec) throw RunError("out of memory while encoding a PNG");
  codec->width = frame->width = image.width;
  codec->height = frame->height = image.height;
  codec->pix_fmt = AV_PIX_FMT_RGB24;
  frame->format = AV_PIX_FMT_RGB24;
  codec->time_base = {1, 1};
  codec->thread_count = 1;
  codec->flags |= AV_CODEC_FLAG_BITEXACT;
  av_opt_set(codec->priv_data, "pred", "mixed", 0);  // the row filters, for smaller files
  const auto require = [&](int code) {
    if (code < 0)
      throw RunError(cat("FFmpeg could not encode a PNG of ", image.width, " x ", image.height,
                         ": ", ffmpeg::reason(code)));
  };
  require(avcodec_open2(codec.get(), png, nullptr));
  require(av_frame_get_buffer(frame.get(), 0));
  const size_t row_bytes = static_cast<size_t>(image.width) * 3;
  internal_check(image.rgb.size() == row_bytes * image.height, "an image of ", image.width, " x ",
                 image.height, " has ", image.rgb.size(), " bytes");
  for (int row = 0; row < image.height; ++row)
    std::copy_n(image.rgb.data() + row * row_bytes, row_bytes,
                frame->data[0] + static_cast<ptrdiff_t>(row) * frame->linesize[0]);
  require(avcodec_send_frame(codec.get(), frame.get()));
  require(avcodec_send_frame(codec.get(), nullptr));
  require(avcodec_receive_packet(codec.get(), packet.get()));
  return {packet->data, packet->data + packet->size};
}

}  // namespace grimace
