// Chooses the reader for a path and holds the limits all readers share.
#include "data/frame_source.h"

#include "data/frame_folder.h"
#include "data/video_reader.h"
#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

constexpr int64_t kMinSide = 16;
constexpr int64_t kMaxSide = 8192;

}  // namespace

bool is_video_path(const fs::path& path) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  check(fs::exists(status), path.string(), ": no such file or folder");
  if (fs::is_directory(status)) return false;
  // A pipe or a device could block for ever.
  check(fs::is_regular_file(status), path.string(), ": not a regular file");
  return !is_picture(path);
}

std::unique_ptr<FrameSource> open_frames(const fs::path& path, int threads) {
  if (is_video_path(path)) return open_video(path, threads);
  if (fs::is_directory(path)) return std::make_unique<FrameFolder>(path);
  return std::make_unique<StillPicture>(path);
}

void check_frame_size(const std::string& file, int64_t width, int64_t height) {
  check(width >= kMinSide && height >= kMinSide, file, ": frames of ", width, "x", height,
        " are too small; the least is ", kMinSide, "x", kMinSide);
  check(width <= kMaxSide && height <= kMaxSide && width * height <= kMaxFramePixels, file,
        ": frames of ", width, "x", height, " are too large; the limit is ", kMaxSide,
        " a side and ", kMaxFramePixels, " pixels");
}

void check_frame_indices(std::span<const int64_t> indices, int64_t count) {
  for (const int64_t index : indices)
    internal_check(index >= 0 && index < count, "frame ", index, " of ", count);
}

}  // namespace grimace
