#include "data/video_reader.h"

#include <algorithm>
#include <map>
#include <set>

#include "data/video_decoder.h"
#include "data/video_index.h"
#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

class VideoReader : public FrameSource {
 public:
  VideoReader(const fs::path& path, int threads) : file_(path.string()), video_(file_, threads) {
    index_ = index_packets(file_, video_.format(), video_.stream());
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

  int64_t count_by_decoding() {
    video_.rewind();
    int64_t count = 0;
    while (video_.next())
      check(++count <= kMaxFrames, file_, ": more than ", kMaxFrames, " frames");
    check(count > 0, file_, ": the video stream holds no frames");
    return count;
  }

  // Decodes from the key frame before each wanted frame. False where a stream proves not to start
  // cleanly there.
  bool collect_seeking(const std::set<int64_t>& wanted, Found& found) {
    bool positioned = false;
    for (const int64_t index : wanted) {
      const VideoIndex::Frame& target = index_->frames[static_cast<size_t>(index)];
      if (found.contains(index)) continue;
      bool first = false;
      if (!positioned || target.key_dts > video_.fed_dts()) {
        if (!video_.seek(target.key_pts, target.key_dts)) return false;
        positioned = first = true;
      }
      while (!found.contains(index)) {
        if (!video_.next()) return false;
        // A stream refreshed little by little has "key" frames that are not whole pictures.
        if (first && video_.frame().pict_type != AV_PICTURE_TYPE_I) return false;
        first = false;
        keep(video_.frame().pts, wanted, found);
      }
    }
    return true;
  }

  void collect_from_start(const std::set<int64_t>& wanted, Found& found) {
    found.clear();
    video_.rewind();
    for (int64_t position = 0; found.size() < wanted.size(); ++position) {
      check(video_.next(), file_, ": ", wanted.size() - found.size(),
            " of the frames wanted, up to ", *wanted.rbegin(), ", could not be decoded");
      if (index_)
        keep(video_.frame().pts, wanted, found);
      else if (wanted.contains(position))
        found.emplace(position, video_.picture());
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
    if (wanted.contains(index) && !found.contains(index)) found.emplace(index, video_.picture());
  }

  std::string file_;
  VideoDecoder video_;
  int64_t count_ = 0;
  std::optional<VideoIndex> index_;
};

}  // namespace

std::unique_ptr<FrameSource> open_video(const fs::path& file, int threads) {
  return std::make_unique<VideoReader>(file, threads);
}

}  // namespace grimace
