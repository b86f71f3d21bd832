#include "data/video_index.h"

#include <algorithm>
#include <string_view>

#include "data/frame_source.h"
#include "ir/error.h"

namespace grimace {
namespace {

struct Packet {
  int64_t pts = 0;
  int64_t dts = 0;
  bool key = false;
};

// In these one packet is one frame that is shown.
bool packets_are_frames(const AVFormatContext& format, AVCodecID codec) {
  const std::string_view container = format.iformat->name;
  if (!container.starts_with("mov,mp4") && !container.starts_with("matroska")) return false;
  return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC || codec == AV_CODEC_ID_MPEG4 ||
         codec == AV_CODEC_ID_MJPEG || codec == AV_CODEC_ID_PNG;
}

bool may_hide_frames(AVCodecID codec, const AVPacket& packet) {
  // A DISCARD packet is decoded but not shown; an MPEG-4 packet this small may say "not coded".
  constexpr int kMpeg4NotCoded = 19;
  return (packet.flags & AV_PKT_FLAG_DISCARD) != 0 || packet.pts == AV_NOPTS_VALUE ||
         packet.dts == AV_NOPTS_VALUE ||
         (codec == AV_CODEC_ID_MPEG4 && packet.size <= kMpeg4NotCoded);
}

// Packets in decoding order; `exact` turns false where they do not tell the frames.
std::vector<Packet> read_packets(const std::string& file, AVFormatContext& format, int stream,
                                 bool& exact) {
  const AVCodecID codec = format.streams[stream]->codecpar->codec_id;
  const auto packet = ffmpeg::make_packet();
  std::vector<Packet> packets;
  int code = 0;
  while ((code = av_read_frame(&format, packet.get())) >= 0) {
    if (packet->stream_index == stream) {
      check((packet->flags & AV_PKT_FLAG_CORRUPT) == 0, file, ": truncated or damaged at packet ",
            packets.size());
      if (may_hide_frames(codec, *packet)) exact = false;
      packets.push_back({packet->pts, packet->dts, (packet->flags & AV_PKT_FLAG_KEY) != 0});
      check(static_cast<int64_t>(packets.size()) <= kMaxFrames, file, ": more than ", kMaxFrames,
            " frames");
    }
    av_packet_unref(packet.get());
  }
  check(code == AVERROR_EOF, file, ": truncated or damaged after ", packets.size(),
        " video packets: ", ffmpeg::reason(code));
  check(!packets.empty(), file, ": the video stream holds no frames");
  return packets;
}

// The frame of every packet with the key frame it can be decoded from. Pictures that precede their
// key frame in presentation (open groups) need the key frame before that one.
std::vector<VideoIndex::Frame> frames_of(const std::vector<Packet>& packets) {
  std::vector<VideoIndex::Frame> frames;
  frames.reserve(packets.size());
  const Packet* key = &packets.front();
  const Packet* previous = key;
  for (const Packet& packet : packets) {
    if (packet.key) {
      previous = key;
      key = &packet;
    }
    const Packet* start = key;
    if (start->pts > packet.pts) start = previous;
    if (start->pts > packet.pts) start = &packets.front();
    frames.push_back({packet.pts, start->pts, start->dts});
  }
  return frames;
}

}  // namespace

std::optional<VideoIndex> index_packets(const std::string& file, AVFormatContext& format,
                                        int stream) {
  bool exact = packets_are_frames(format, format.streams[stream]->codecpar->codec_id);
  const std::vector<Packet> packets = read_packets(file, format, stream, exact);
  const Packet& first = packets.front();
  if (!exact || !first.key) return std::nullopt;
  for (size_t i = 1; i < packets.size(); ++i)
    if (packets[i].dts <= packets[i - 1].dts || packets[i].pts < first.pts) return std::nullopt;
  VideoIndex index{frames_of(packets)};
  const auto by_time = [](const auto& a, const auto& b) { return a.pts < b.pts; };
  std::sort(index.frames.begin(), index.frames.end(), by_time);
  for (size_t i = 1; i < index.frames.size(); ++i)
    if (index.frames[i].pts == index.frames[i - 1].pts) return std::nullopt;
  return index;
}

}  // namespace grimace
