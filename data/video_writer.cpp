// mp4 writing with libavformat, libavcodec and libswscale, one thread, bit-exact flags.
#include "data/video_writer.h"

#include <optional>
#include <string>

#include "data/video_ffmpeg.h"
#include "ir/error.h"
#include "runtime/atomic_file.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace grimace {
namespace {

const AVCodec* find_encoder() {
  const AVCodec* encoder = avcodec_find_encoder_by_name("libx264");
  if (encoder == nullptr) encoder = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
  check(encoder != nullptr, "this FFmpeg has neither libx264 nor an MPEG-4 encoder; install the ",
        "full libavcodec package");
  return encoder;
}

}  // namespace

struct VideoWriter::State {
  std::filesystem::path path;
  std::optional<AtomicFile> file;
  AVFormatContext* format = nullptr;
  AVStream* stream = nullptr;
  ffmpeg::Handle<AVCodecContext> codec;
  ffmpeg::Handle<AVFrame> frame = ffmpeg::make_frame();
  ffmpeg::Handle<AVPacket> packet = ffmpeg::make_packet();
  ffmpeg::Handle<SwsContext> scaler;
  int64_t next_pts = 0;

  explicit State(const std::filesystem::path& target) : path(target) {}

  ~State() {
    if (format == nullptr) return;
    avio_closep(&format->pb);
    avformat_free_context(format);
  }

  void require(int code, const char* what) const {
    if (code < 0) throw RunError(cat(path.string(), ": ", what, " failed: ", ffmpeg::reason(code)));
  }

  void open_codec(int width, int height, int frames_per_second) {
    const AVCodec* encoder = find_encoder();
    codec.reset(avcodec_alloc_context3(encoder));
    if (!codec) throw RunError(cat(path.string(), ": out of memory"));
    codec->width = frame->width = width;
    codec->height = frame->height = height;
    codec->pix_fmt = AV_PIX_FMT_YUV420P;
    frame->format = AV_PIX_FMT_YUV420P;
    codec->time_base = {1, frames_per_second};
    codec->framerate = {frames_per_second, 1};
    codec->gop_size = 24;
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_BITEXACT;
    if (format->oformat->flags & AVFMT_GLOBALHEADER) codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (encoder->id == AV_CODEC_ID_H264) {
      av_opt_set(codec->priv_data, "preset", "veryfast", 0);
      av_opt_set(codec->priv_data, "crf", "21", 0);
      av_opt_set(codec->priv_data, "x264-params", "cpu-independent=1", 0);
    } else {
      codec->flags |= AV_CODEC_FLAG_QSCALE;
      codec->global_quality = 3 * FF_QP2LAMBDA;
    }
    require(avcodec_open2(codec.get(), encoder, nullptr), "starting the encoder");
    require(av_frame_get_buffer(frame.get(), 0), "allocating a frame");
    scaler.reset(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                                SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT, nullptr, nullptr,
                                nullptr));
    if (!scaler) throw RunError(cat(path.string(), ": the colour conversion is missing"));
  }

  void open_file() {
    ensure_writable_place(path);
    file.emplace(path);
    // As a file whatever its name is: FFmpeg would take "12:30.mp4" for a protocol and its place.
    const std::string url = "file:" + file->partial().string();
    require(avio_open(&format->pb, url.c_str(), AVIO_FLAG_WRITE), "opening");
    stream = avformat_new_stream(format, nullptr);
    if (stream == nullptr) throw RunError(cat(path.string(), ": out of memory"));
    stream->time_base = codec->time_base;
    stream->avg_frame_rate = codec->framerate;
    require(avcodec_parameters_from_context(stream->codecpar, codec.get()),
            "describing the stream");
    require(avformat_write_header(format, nullptr), "writing the header");
  }

  // Sends one frame, or the end of the stream as nullptr, and writes what comes out.
  void encode(const AVFrame* input) {
    require(avcodec_send_frame(codec.get(), input), "encoding");
    int code = 0;
    while ((code = avcodec_receive_packet(codec.get(), packet.get())) >= 0) {
      av_packet_rescale_ts(packet.get(), codec->time_base, stream->time_base);
      packet->stream_index = stream->index;
      require(av_interleaved_write_frame(format, packet.get()), "writing");
    }
    if (code != AVERROR(EAGAIN) && code != AVERROR_EOF) require(code, "encoding");
  }
};

VideoWriter::VideoWriter(const std::filesystem::path& path, int width, int height,
                         int frames_per_second)
    : state_(std::make_unique<State>(path)) {
  check(width >= 2 && height >= 2 && width <= 8192 && height <= 8192 && width % 2 == 0 &&
            height % 2 == 0,
        path.string(), ": video sides must be even and in 2..8192; got ", width, " x ", height);
  check(frames_per_second >= 1 && frames_per_second <= 240, path.string(),
        ": frames per second must be in 1..240; got ", frames_per_second);
  ffmpeg::silence();
  State& s = *state_;
  s.require(avformat_alloc_output_context2(&s.format, nullptr, "mp4", nullptr), "opening mp4");
  s.format->flags |= AVFMT_FLAG_BITEXACT;
  s.open_codec(width, height, frames_per_second);
  s.open_file();
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::add(const Image& image) {
  State& s = *state_;
  check(image.width == s.codec->width && image.height == s.codec->height, s.path.string(),
        ": frame ", s.next_pts, " is ", image.width, " x ", image.height, "; expected ",
        s.codec->width, " x ", s.codec->height);
  s.require(av_frame_make_writable(s.frame.get()), "allocating a frame");
  const uint8_t* const rows[] = {image.rgb.data()};
  const int strides[] = {image.width * 3};
  sws_scale(s.scaler.get(), rows, strides, 0, image.height, s.frame->data, s.frame->linesize);
  s.frame->pts = s.next_pts++;
  s.encode(s.frame.get());
}

void VideoWriter::finish() {
  State& s = *state_;
  s.encode(nullptr);
  s.require(av_write_trailer(s.format), "completing the file");
  avio_flush(s.format->pb);
  s.require(s.format->pb->error, "writing");
  s.require(avio_closep(&s.format->pb), "writing");
  s.file->commit();
}

}  // namespace grimace
