// Decodes the first video stream of a file, or of what a program pipes in, frame after frame.
// Included by *video* sources only.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "data/video_ffmpeg.h"

namespace grimace {

// Every failure is an Error that names the file.
class VideoDecoder {
 public:
  VideoDecoder(const std::string& file, int threads);  // opens it, at its start
  // Reads file descriptor `fd`, once. While nothing comes, `stop` (may be null) ends it.
  VideoDecoder(const std::string& name, int fd, const std::atomic<bool>* stop, int threads);

  void rewind();  // opens the file anew, at its start
  // The next frame in order of presentation; false after the last.
  bool next();
  const AVFrame& frame() const { return *frame_; }
  Image picture();  // the frame as it is to be shown
  // Jumps to a key frame, given by its times; next() then starts there. False when the container
  // does not land there or before.
  bool seek(int64_t key_pts, int64_t key_dts);

  AVFormatContext& format() { return *format_; }
  int stream() const { return stream_; }
  int64_t fed_dts() const { return fed_dts_; }  // decoding time of the last packet decoded

 private:
  struct Pipe;
  struct FreePipe {
    void operator()(Pipe* pipe) const;
  };

  void open();
  void choose_stream();
  void start_decoder();
  bool next_packet();
  void keep_picture();  // the packet is a PNG file

  std::string file_;
  int threads_ = 1;
  int stream_ = -1;
  Orientation orientation_;
  std::unique_ptr<Pipe, FreePipe> pipe_;  // before format_, which reads it until its end
  ffmpeg::Handle<AVFormatContext> format_;
  ffmpeg::Handle<AVCodecContext> decoder_;
  ffmpeg::Handle<AVPacket> packet_ = ffmpeg::make_packet();
  ffmpeg::Handle<AVFrame> frame_ = ffmpeg::make_frame();
  ffmpeg::RgbConverter converter_;
  bool packet_ready_ = false;  // packet_ was read by seek() and not decoded yet
  int64_t fed_dts_ = 0;
};

}  // namespace grimace
