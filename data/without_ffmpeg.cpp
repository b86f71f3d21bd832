// Stands in for the video and picture readers in a build without FFmpeg.
#include "data/frame_stream.h"
#include "data/video_picture.h"
#include "data/video_reader.h"
#include "ir/error.h"

namespace grimace {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file) {
  throw Error(cat(file.string(), ": this build has no video support and cannot decode it; build ",
                  "with -DGRIMACE_VIDEO=ON"));
}

}  // namespace

std::unique_ptr<FrameSource> open_video(const std::filesystem::path& file, int) {
  refuse(file);
}
std::unique_ptr<FrameStream> open_video_stream(const std::filesystem::path& file,
                                               const FrameStreamConfig&) {
  refuse(file);
}
std::unique_ptr<FrameStream> open_video_stream(int, const FrameStreamConfig&) {
  refuse("standard input");
}
Image decode_picture(const std::filesystem::path& file) {
  refuse(file);
}

}  // namespace grimace
