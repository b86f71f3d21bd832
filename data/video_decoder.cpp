#include "data/video_decoder.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "data/frame_source.h"
#include "data/png_chunks.h"
#include "ir/error.h"

namespace grimace {
namespace {

// Containers that hold one video in one file. Playlists, patterns and text are not among them, so
// a hostile file cannot make us open others.
constexpr const char* kContainers =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,m4v,"
    "mjpeg,gif,rm,wav,mp3,aac,flac";

constexpr int kPipeBytes = 1 << 16;
constexpr int kPipeWait = 100;  // milliseconds between two looks at the stop flag

// What FFmpeg may decode with on its own, to describe a file's streams. All but PNG, whether it is
// the video or its cover: see keep_picture_chunks.
const std::string& describing_decoders() {
  static const std::string names = [] {
    std::string list;
    void* at = nullptr;
    while (const AVCodec* codec = av_codec_iterate(&at))
      if (av_codec_is_decoder(codec) != 0 && codec->id != AV_CODEC_ID_PNG &&
          codec->id != AV_CODEC_ID_APNG)
        list += (list.empty() ? "" : ",") + std::string(codec->name);
    return list;
  }();
  return names;
}

}  // namespace

// What comes in through a file descriptor, as FFmpeg reads it.
struct VideoDecoder::Pipe {
  int fd = -1;
  const std::atomic<bool>* stop = nullptr;
  AVIOContext* io = nullptr;

  static int read(void* self, uint8_t* buffer, int size) {
    const Pipe& pipe = *static_cast<Pipe*>(self);
    while (true) {
      if (pipe.stop != nullptr && *pipe.stop) return AVERROR_EOF;
      pollfd waiting{pipe.fd, POLLIN, 0};
      const int ready = poll(&waiting, 1, kPipeWait);
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
      const ssize_t got = ready < 0 ? -1 : ::read(pipe.fd, buffer, static_cast<size_t>(size));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return AVERROR(errno);
      return got == 0 ? AVERROR_EOF : static_cast<int>(got);
    }
  }
};

void VideoDecoder::FreePipe::operator()(Pipe* pipe) const {
  if (pipe->io != nullptr) av_freep(&pipe->io->buffer);
  avio_context_free(&pipe->io);
  delete pipe;
}

VideoDecoder::VideoDecoder(const std::string& file, int threads) : file_(file), threads_(threads) {
  ffmpeg::silence();
  open();
}

VideoDecoder::VideoDecoder(const std::string& name, int fd, const std::atomic<bool>* stop,
                           int threads)
    : file_(name), threads_(threads), pipe_(new Pipe{.fd = fd, .stop = stop}) {
  ffmpeg::silence();
  auto* buffer = static_cast<unsigned char*>(av_malloc(kPipeBytes));
  pipe_->io = avio_alloc_context(buffer, kPipeBytes, 0, pipe_.get(), &Pipe::read, nullptr, nullptr);
  if (pipe_->io == nullptr) {
    av_free(buffer);
    throw RunError("out of memory for a video stream");
  }
  open();
}

void VideoDecoder::rewind() {
  internal_check(!pipe_, file_, ": a stream cannot be read twice");
  open();
}

void VideoDecoder::open() {
  AVDictionary* options = nullptr;
  av_dict_set(&options, "format_whitelist", kContainers, 0);
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  av_dict_set(&options, "codec_whitelist", describing_decoders().c_str(), 0);
  AVFormatContext* format = avformat_alloc_context();
  if (format != nullptr && pipe_) format->pb = pipe_->io;
  const std::string url = pipe_ ? "" : "file:" + file_;
  const int opened = avformat_open_input(&format, url.c_str(), nullptr, &options);
  av_dict_free(&options);
  format_.reset(format);
  check(opened >= 0, file_, ": not a readable video (", ffmpeg::reason(opened), ")",
        pipe_ ? "; a stream must be readable from front to end, as Matroska and MPEG-TS are" : "");
  const int described = avformat_find_stream_info(format, nullptr);
  check(described >= 0, file_, ": its streams cannot be read: ", ffmpeg::reason(described));
  choose_stream();
  decoder_.reset();
  packet_ready_ = false;
}

void VideoDecoder::choose_stream() {
  stream_ = -1;
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    AVStream* stream = format_->streams[i];
    const bool cover = (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    const bool video = stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !cover;
    if (video && stream_ < 0)
      stream_ = static_cast<int>(i);
    else
      stream->discard = AVDISCARD_ALL;
  }
  check(stream_ >= 0, file_, ": holds no video stream (audio only?)");
  const AVCodecParameters& parameters = *format_->streams[stream_]->codecpar;
  check_frame_size(file_, parameters.width, parameters.height);
  orientation_ = ffmpeg::orientation_of(*format_->streams[stream_]);
}

Image VideoDecoder::picture() {
  return oriented(converter_.convert(file_, *frame_), orientation_);
}

void VideoDecoder::start_decoder() {
  const AVStream& stream = *format_->streams[stream_];
  decoder_ = ffmpeg::open_decoder(file_, stream.codecpar->codec_id, stream.codecpar, threads_);
  decoder_->pkt_timebase = stream.time_base;
}

// The next packet of the video into packet_; false at the end of the file.
bool VideoDecoder::next_packet() {
  while (true) {
    av_packet_unref(packet_.get());
    const int code = av_read_frame(format_.get(), packet_.get());
    if (code == AVERROR_EOF) return false;
    check(code >= 0, file_, ": truncated or damaged: ", ffmpeg::reason(code));
    if (packet_->stream_index != stream_) continue;
    if (format_->streams[stream_]->codecpar->codec_id == AV_CODEC_ID_PNG) keep_picture();
    return true;
  }
}

void VideoDecoder::keep_picture() {
  if (av_packet_make_writable(packet_.get()) < 0)
    throw RunError(cat(file_, ": out of memory for ", packet_->size, " bytes"));
  const auto bytes = static_cast<size_t>(packet_->size);
  av_shrink_packet(packet_.get(),
                   static_cast<int>(keep_picture_chunks(file_, {packet_->data, bytes})));
}

bool VideoDecoder::next() {
  if (!decoder_) start_decoder();
  while (true) {
    int code = avcodec_receive_frame(decoder_.get(), frame_.get());
    if (code == AVERROR_EOF) return false;
    if (code >= 0) {
      const bool broken =
          frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0;
      check(!broken, file_, ": a damaged frame");
      return true;
    }
    check(code == AVERROR(EAGAIN), file_, ": a damaged frame: ", ffmpeg::reason(code));
    const bool more = packet_ready_ || next_packet();
    packet_ready_ = false;
    if (more) fed_dts_ = packet_->dts;
    code = avcodec_send_packet(decoder_.get(), more ? packet_.get() : nullptr);
    check(code >= 0 || code == AVERROR_EOF, file_, ": a damaged frame: ", ffmpeg::reason(code));
  }
}

bool VideoDecoder::seek(int64_t key_pts, int64_t key_dts) {
  if (!decoder_) start_decoder();
  // Some containers look for presentation times, some for decoding times.
  for (const int64_t time : {key_pts, key_dts}) {
    avcodec_flush_buffers(decoder_.get());
    packet_ready_ = false;
    if (av_seek_frame(format_.get(), stream_, time, AVSEEK_FLAG_BACKWARD) < 0) continue;
    packet_ready_ = next_packet();
    const bool key = (packet_->flags & AV_PKT_FLAG_KEY) != 0;
    if (packet_ready_ && key && packet_->dts <= key_dts) return true;
  }
  return false;
}

}  // namespace grimace
