// Stands in for the video writer and the PNG encoder in a build without FFmpeg.
#include "data/image.h"
#include "data/video_writer.h"
#include "ir/error.h"

namespace grimace {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(cat(what, ": this build has no video support; build with -DGRIMACE_VIDEO=ON"));
}

}  // namespace

struct VideoWriter::State {};
VideoWriter::VideoWriter(const std::filesystem::path& path, int, int, int) {
  refuse("cannot write " + path.string());
}
VideoWriter::~VideoWriter() = default;
void VideoWriter::add(const Image&) {
  refuse("cannot write video");
}
void VideoWriter::finish() {
  refuse("cannot write video");
}

std::vector<uint8_t> encode_png(const Image&) {
  refuse("cannot write a PNG");
}

}  // namespace grimace
