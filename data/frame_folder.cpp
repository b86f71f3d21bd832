#include "data/frame_folder.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "data/video_picture.h"
#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& ch : extension) ch = static_cast<char>(std::tolower(static_cast<unsigned char>(ch)));
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

FrameFolder::FrameFolder(const fs::path& folder) {
  std::error_code failed;
  fs::directory_iterator entries(folder, failed);
  for (; !failed && entries != fs::directory_iterator(); entries.increment(failed)) {
    if (!is_picture(entries->path())) continue;
    files_.push_back(entries->path());
    check(frame_count() <= kMaxFrames, folder.string(), ": more than ", kMaxFrames, " frames");
  }
  check(!failed, folder.string(), ": cannot be listed: ", failed.message());
  check(!files_.empty(), folder.string(), ": the folder holds no .jpg or .png frames");
  std::sort(files_.begin(), files_.end());
}

std::vector<Image> FrameFolder::read(std::span<const int64_t> indices) {
  check_frame_indices(indices, frame_count());
  std::vector<Image> images;
  images.reserve(indices.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    const bool repeated = i > 0 && indices[i] == indices[i - 1];
    images.push_back(repeated ? Image(images.back())
                              : decode_picture(files_[static_cast<size_t>(indices[i])]));
  }
  return images;
}

StillPicture::StillPicture(const fs::path& file) : image_(decode_picture(file)) {}

std::vector<Image> StillPicture::read(std::span<const int64_t> indices) {
  check_frame_indices(indices, kStillFrames);
  return std::vector<Image>(indices.size(), image_);
}

}  // namespace grimace
