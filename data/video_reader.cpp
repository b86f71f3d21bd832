#include "data/video_reader.h"

#include <algorithm>
#include <map>
#include <set>

#include "data/video_ffmpeg.h"
#include "data/video_index.h"
#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

// Containers that hold one video in one file. Playlists, patterns and text are not among them, so
// a hostile file cannot make us open others.
constexpr const char* kContainers =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,m4v,"
    "mjpeg,gif,rm,wav,mp3,aac,flac";

class VideoReader : public FrameSource {
 public:
  VideoReader(const fs::path& path, int threads) : file_(path.string()), threads_(threads) {
    ffmpeg::silence();
    rewind();
    index_ = index_packets(file_, *format_, stream_);
    count_ = index_ ? static_cast<int64_t>(index_->frames.size()) : count_by_decoding();
  }

  int64_t frame_count() const override { return count_; }

  std::vector<Image> read(std::span<const int64_t> indices) override {
    check_frame_indices(indices, count_);
    const std::set<int64_t> wanted(indices.begin(), indices.end());
    std::map<int64_t, Image> found;
    if (!index_ || !collect_seeking(wanted, found)) collect_from_start(wanted, found);
    std::vector<Image> images;
    images.reserve(indices.size());
    for (const int64_t index : indices) images.push_back(found.at(index));
    return images;
  }

 private:
  using Found = std::map<int64_t, Image>;

  // Opens the file anew, at its start.
  void rewind() {
    AVDictionary* options = nullptr;
    av_dict_set(&options, "format_whitelist", kContainers, 0);
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    AVFormatContext* format = nullptr;
    const int opened = avformat_open_input(&format, ("file:" + file_).c_str(), nullptr, &options);
    av_dict_free(&options);
    format_.reset(format);
    check(opened >= 0, file_, ": not a readable video (", ffmpeg::reason(opened), ")");
    const int described = avformat_find_stream_info(format, nullptr);
    check(described >= 0, file_, ": its streams cannot be read: ", ffmpeg::reason(described));
    choose_stream();
    decoder_.reset();
  }

  void choose_stream() {
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

  // The current frame as it is to be shown.
  Image picture() { return oriented(converter_.convert(file_, *frame_), orientation_); }

  void start_decoder() {
    const AVStream& stream = *format_->streams[stream_];
    decoder_ = ffmpeg::open_decoder(file_, stream.codecpar->codec_id, stream.codecpar, threads_);
    decoder_->pkt_timebase = stream.time_base;
  }

  // The next packet of the video into packet_; false at the end of the file.
  bool next_packet() {
    while (true) {
      av_packet_unref(packet_.get());
      const int code = av_read_frame(format_.get(), packet_.get());
      if (code == AVERROR_EOF) return false;
      check(code >= 0, file_, ": truncated or damaged: ", ffmpeg::reason(code));
      if (packet_->stream_index == stream_) return true;
    }
  }

  // The next frame in order of presentation into frame_; false after the last.
  bool next_frame() {
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

  int64_t count_by_decoding() {
    rewind();
    start_decoder();
    int64_t count = 0;
    while (next_frame()) check(++count <= kMaxFrames, file_, ": more than ", kMaxFrames, " frames");
    check(count > 0, file_, ": the video stream holds no frames");
    return count;
  }

  // Jumps to the key frame and hands its packet to the next next_frame(); false when the
  // container does not land there or before.
  bool seek(const VideoIndex::Frame& target) {
    if (!decoder_) start_decoder();
    // Some containers look for presentation times, some for decoding times.
    for (const int64_t time : {target.key_pts, target.key_dts}) {
      avcodec_flush_buffers(decoder_.get());
      packet_ready_ = false;
      if (av_seek_frame(format_.get(), stream_, time, AVSEEK_FLAG_BACKWARD) < 0) continue;
      packet_ready_ = next_packet();
      const bool key = (packet_->flags & AV_PKT_FLAG_KEY) != 0;
      if (packet_ready_ && key && packet_->dts <= target.key_dts) return true;
    }
    return false;
  }

  // Decodes from the key frame before each wanted frame. False where a stream proves not to start
  // cleanly there.
  bool collect_seeking(const std::set<int64_t>& wanted, Found& found) {
    bool positioned = false;
    for (const int64_t index : wanted) {
      const VideoIndex::Frame& target = index_->frames[static_cast<size_t>(index)];
      if (found.contains(index)) continue;
      bool first = false;
      if (!positioned || target.key_dts > fed_dts_) {
        if (!seek(target)) return false;
        positioned = first = true;
      }
      while (!found.contains(index)) {
        if (!next_frame()) return false;
        // A stream refreshed little by little has "key" frames that are not whole pictures.
        if (first && frame_->pict_type != AV_PICTURE_TYPE_I) return false;
        first = false;
        keep(frame_->pts, wanted, found);
      }
    }
    return true;
  }

  void collect_from_start(const std::set<int64_t>& wanted, Found& found) {
    found.clear();
    rewind();
    start_decoder();
    packet_ready_ = false;
    for (int64_t position = 0; found.size() < wanted.size(); ++position) {
      check(next_frame(), file_, ": ", wanted.size() - found.size(),
            " of the frames wanted, up to ", *wanted.rbegin(), ", could not be decoded");
      if (index_)
        keep(frame_->pts, wanted, found);
      else if (wanted.contains(position))
        found.emplace(position, picture());
    }
  }

  // Converts the current frame if the index says that its time is a wanted one's.
  void keep(int64_t pts, const std::set<int64_t>& wanted, Found& found) {
    const auto& frames = index_->frames;
    const auto at = std::lower_bound(
        frames.begin(), frames.end(), pts,
        [](const VideoIndex::Frame& frame, int64_t time) { return frame.pts < time; });
    if (at == frames.end() || at->pts != pts) return;
    const int64_t index = at - frames.begin();
    if (wanted.contains(index) && !found.contains(index)) found.emplace(index, picture());
  }

  std::string file_;
  int threads_ = 1;
  int stream_ = -1;
  Orientation orientation_;
  int64_t count_ = 0;
  std::optional<VideoIndex> index_;
  ffmpeg::Handle<AVFormatContext> format_;
  ffmpeg::Handle<AVCodecContext> decoder_;
  ffmpeg::Handle<AVPacket> packet_ = ffmpeg::make_packet();
  ffmpeg::Handle<AVFrame> frame_ = ffmpeg::make_frame();
  ffmpeg::RgbConverter converter_;
  bool packet_ready_ = false;  // packet_ was read by seek() and not decoded yet
  int64_t fed_dts_ = 0;        // decoding time of the last packet given to the decoder
};

}  // namespace

std::unique_ptr<FrameSource> open_video(const fs::path& file, int threads) {
  return std::make_unique<VideoReader>(file, threads);
}

}  // namespace grimace
