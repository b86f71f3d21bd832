#include "data/labelled_clip.h"

#include <algorithm>

#include "data/clip.h"
#include "ir/error.h"

namespace grimace {
namespace {

int64_t span(const FrameConfig& config) {
  return int64_t{config.frames} * config.sampling_rate;
}

// `count` values from `first` to `last` inclusive in the double arithmetic of numpy's linspace,
// appended as indices in low..high.
void append_spaced(int64_t first, int64_t last, int64_t count, int64_t low, int64_t high,
                   std::vector<int64_t>& indices) {
  const double step = count > 1 ? static_cast<double>(last - first) / (count - 1) : 0.0;
  for (int64_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(i) * step + static_cast<double>(first);
    indices.push_back(std::clamp(static_cast<int64_t>(value), low, high));
  }
}

// Place `part` of `parts` that divide `room` evenly, from 0 to `room`.
int64_t spread(int64_t room, int part, int parts) {
  if (parts == 1 || room <= 0) return 0;
  return static_cast<int64_t>(part * (static_cast<double>(room) / (parts - 1)));
}

}  // namespace

void validate(const FrameConfig& config) {
  validate(ClipConfig{.frames = config.frames,
                      .sampling_rate = config.sampling_rate,
                      .image_size = config.image_size});
}

std::vector<int64_t> training_indices(int64_t frame_count, int64_t end, const FrameConfig& config) {
  std::vector<int64_t> indices;
  if (frame_count > span(config)) {
    internal_check(end >= span(config) && end <= frame_count, "frames up to ", end, " of ",
                   frame_count);
    append_spaced(end - span(config), end, config.frames, end - span(config), end - 1, indices);
    return indices;
  }
  append_spaced(0, frame_count, frame_count / config.sampling_rate, 0, frame_count - 1, indices);
  indices.resize(static_cast<size_t>(config.frames), frame_count - 1);
  return indices;
}

int64_t draw_end(int64_t frame_count, const FrameConfig& config, PhiloxStream& random) {
  const int64_t room = frame_count - span(config);
  if (room <= 0) return frame_count;
  return span(config) + static_cast<int64_t>(random.below(static_cast<uint64_t>(room)));
}

std::vector<int64_t> view_indices(int64_t frame_count, int segment, int segments,
                                  const FrameConfig& config) {
  const int64_t sampled = (frame_count + config.sampling_rate - 1) / config.sampling_rate;
  const int64_t start = spread(sampled - config.frames, segment, segments);
  std::vector<int64_t> indices;
  for (int64_t i = start; i < start + config.frames; ++i)
    indices.push_back(std::min(i, sampled - 1) * config.sampling_rate);
  return indices;
}

Box view_box(int width, int height, int image_size, int crop, int crops) {
  const bool tall = height >= width;
  const auto start = static_cast<int>(spread(std::max(width, height) - image_size, crop, crops));
  return {tall ? 0 : start, tall ? start : 0, std::min(width, image_size),
          std::min(height, image_size)};
}

std::vector<Image> read_square(FrameSource& source, const std::vector<int64_t>& indices,
                               int image_size) {
  std::vector<Image> images = source.read(indices);
  for (Image& image : images)
    image = resize(image, {0, 0, image.width, image.height}, image_size, image_size);
  return images;
}

}  // namespace grimace
