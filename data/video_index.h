// Which frames a video holds and where decoding must start for each, from its packets alone.
// Included by *video* sources only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/video_ffmpeg.h"

namespace grimace {

// The frames in order of presentation. Times are in the stream's own unit.
struct VideoIndex {
  struct Frame {
    int64_t pts = 0;      // presentation time, unique and ascending
    int64_t key_pts = 0;  // of the key frame from which decoding reaches this frame
    int64_t key_dts = 0;  // decoding time of that key frame
  };
  std::vector<Frame> frames;
};

// Reads all packets of stream `stream` to the end of the file. Nothing when packets do not say
// exactly which frames will come out (times missing or repeated, a start without key frame, codecs
// with invisible frames): then only decoding tells. Error on a truncated file.
std::optional<VideoIndex> index_packets(const std::string& file, AVFormatContext& format,
                                        int stream);

}  // namespace grimace
