// Clips made of picture files: a folder of numbered frames, or one picture held still.
#pragma once

#include <filesystem>
#include <vector>

#include "data/frame_source.h"

namespace grimace {

// Whether the name ends in .jpg, .jpeg or .png, in any case.
bool is_picture(const std::filesystem::path& path);

class FrameFolder : public FrameSource {
 public:
  explicit FrameFolder(const std::filesystem::path& folder);  // Error when it holds no picture
  int64_t frame_count() const override { return static_cast<int64_t>(files_.size()); }
  std::vector<Image> read(std::span<const int64_t> indices) override;

 private:
  std::vector<std::filesystem::path> files_;  // sorted by name
};

class StillPicture : public FrameSource {
 public:
  explicit StillPicture(const std::filesystem::path& file);
  int64_t frame_count() const override { return kStillFrames; }
  std::vector<Image> read(std::span<const int64_t> indices) override;

 private:
  Image image_;
};

}  // namespace grimace
