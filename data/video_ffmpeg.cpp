#include "data/video_ffmpeg.h"

#include <cstring>

#include "data/frame_source.h"
#include "ir/error.h"

extern "C" {
#include <libavutil/log.h>
}

namespace grimace::ffmpeg {

void silence() {
  static const bool once = (av_log_set_level(AV_LOG_QUIET), true);
  (void)once;
}

std::string reason(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  return text;
}

Handle<AVPacket> make_packet() {
  Handle<AVPacket> packet(av_packet_alloc());
  if (!packet) throw RunError("out of memory for a video packet");
  return packet;
}

Handle<AVFrame> make_frame() {
  Handle<AVFrame> frame(av_frame_alloc());
  if (!frame) throw RunError("out of memory for a video frame");
  return frame;
}

Handle<AVCodecContext> open_decoder(const std::string& file, AVCodecID codec,
                                    const AVCodecParameters* stream, int threads) {
  const AVCodec* decoder = avcodec_find_decoder(codec);
  check(decoder != nullptr, file, ": this FFmpeg has no decoder for ", avcodec_get_name(codec));
  Handle<AVCodecContext> context(avcodec_alloc_context3(decoder));
  if (!context) throw RunError("out of memory for a video decoder");
  if (stream != nullptr) {
    const int copied = avcodec_parameters_to_context(context.get(), stream);
    check(copied >= 0, file, ": bad stream parameters: ", reason(copied));
  }
  context->thread_count = threads;
  context->max_pixels = kMaxFramePixels;
  context->flags |= AV_CODEC_FLAG_BITEXACT;
  const int opened = avcodec_open2(context.get(), decoder, nullptr);
  check(opened >= 0, file, ": the ", avcodec_get_name(codec),
        " decoder refuses it: ", reason(opened));
  return context;
}

Orientation orientation_of(const AVStream& stream) {
  std::array<int32_t, 9> matrix{};
  const uint8_t* bytes = nullptr;
  size_t size = 0;
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 16, 100)  // FFmpeg 6.1
  const AVCodecParameters& parameters = *stream.codecpar;
  if (const AVPacketSideData* found = av_packet_side_data_get(
          parameters.coded_side_data, parameters.nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX)) {
    bytes = found->data;
    size = found->size;
  }
#else
  bytes = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
  if (bytes == nullptr || size < sizeof matrix) return {};
  std::memcpy(matrix.data(), bytes, sizeof matrix);
  return orientation_from(matrix);
}

Image RgbConverter::convert(const std::string& file, const AVFrame& frame) {
  check_frame_size(file, frame.width, frame.height);
  const auto format = static_cast<AVPixelFormat>(frame.format);
  check(sws_isSupportedInput(format) != 0, file, ": unknown pixel format ", frame.format);
  constexpr int kFlags = SWS_BILINEAR | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND | SWS_BITEXACT;
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height, format,
                                     frame.width, frame.height, AV_PIX_FMT_RGB24, kFlags, nullptr,
                                     nullptr, nullptr));
  if (!scaler_) throw RunError(cat(file, ": the conversion to RGB could not be set up"));
  if (frame.colorspace != AVCOL_SPC_UNSPECIFIED || frame.color_range == AVCOL_RANGE_JPEG) {
    const int matrix =
        frame.colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : int{frame.colorspace};
    sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(matrix),
                             frame.color_range == AVCOL_RANGE_JPEG,
                             sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
  }
  const size_t bytes = static_cast<size_t>(frame.width) * frame.height * 3;
  constexpr size_t kSlack = 64;  // FFmpeg's vector code may write past the end of the last row
  Image image{frame.width, frame.height, std::vector<uint8_t>(bytes + kSlack)};
  uint8_t* const rows[] = {image.rgb.data(), nullptr, nullptr, nullptr};
  const int strides[] = {frame.width * 3, 0, 0, 0};
  const int converted =
      sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, rows, strides);
  check(converted == frame.height, file, ": the conversion to RGB failed");
  image.rgb.resize(bytes);
  return image;
}

}  // namespace grimace::ffmpeg
