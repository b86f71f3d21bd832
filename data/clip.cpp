#include "data/clip.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "ir/error.h"

namespace grimace {
namespace {

void check_range(const char* name, int value, int low, int high) {
  check(value >= low && value <= high, name, " must be in ", low, "..", high, "; got ", value);
}

using PixelTable = std::array<std::array<float, 256>, 3>;

// (v / 255 - mean) / std for every colour and byte, rounded to float at each step.
PixelTable make_pixel_table() {
  PixelTable table{};
  for (size_t c = 0; c < 3; ++c)
    for (size_t v = 0; v < 256; ++v)
      table[c][v] = (static_cast<float>(v) / 255.0f - kPixelMean<float>[c]) / kPixelStd<float>[c];
  return table;
}

const PixelTable& pixel_table() {
  static const PixelTable table = make_pixel_table();
  return table;
}

// One image into three colour planes.
void spread(const Image& image, uint8_t* out, int64_t plane_stride) {
  for (size_t i = 0; i < image.rgb.size(); ++i)
    out[static_cast<int64_t>(i % 3) * plane_stride + static_cast<int64_t>(i / 3)] = image.rgb[i];
}

// A box inside another, in the coordinates of the frame.
Box within(const Box& outer, const Box& inner) {
  return {outer.x + inner.x, outer.y + inner.y, inner.width, inner.height};
}

}  // namespace

void validate(const ClipConfig& config) {
  check_range("the number of frames", config.frames, 1, 1024);
  check_range("the sampling rate", config.sampling_rate, 1, 1024);
  check_range("the image size", config.image_size, 8, 2048);
  check_range("num_samples", config.num_samples, 1, 64);
}

void normalise(const Image& image, float* out, int64_t plane_stride) {
  const PixelTable& table = pixel_table();
  const size_t pixels = image.rgb.size() / 3;
  for (size_t c = 0; c < 3; ++c) {
    float* plane = out + static_cast<int64_t>(c) * plane_stride;
    for (size_t i = 0; i < pixels; ++i) plane[i] = table[c][image.rgb[i * 3 + c]];
  }
}

void normalise(std::span<const uint8_t> clips, int64_t plane, std::span<float> out) {
  const PixelTable& table = pixel_table();
  for (size_t i = 0; i < clips.size(); ++i)
    out[i] = table[i / static_cast<size_t>(plane) % 3][clips[i]];
}

bool names_voxceleb2(const std::filesystem::path& list) {
  std::string name = list.string();
  for (char& ch : name) ch = static_cast<char>(std::tolower(static_cast<unsigned char>(ch)));
  return name.find("voxceleb2") != std::string::npos;
}

std::vector<int64_t> draw_starts(int64_t frame_count, const ClipConfig& config,
                                 PhiloxStream& random) {
  const int64_t span = int64_t{config.frames} * config.sampling_rate;
  const int64_t places = frame_count - span + 1;
  const int64_t share = places / config.num_samples;
  std::vector<int64_t> starts(static_cast<size_t>(config.num_samples), 0);
  if (places > 0 && share > 0) {
    for (size_t i = 0; i < starts.size(); ++i)
      starts[i] = static_cast<int64_t>(i) * share +
                  static_cast<int64_t>(random.below(static_cast<uint64_t>(share)));
  } else if (frame_count > span) {
    for (int64_t& start : starts)
      start = static_cast<int64_t>(random.below(static_cast<uint64_t>(places)));
    std::sort(starts.begin(), starts.end());
  }
  return starts;
}

std::vector<int64_t> clip_indices(int64_t frame_count, int64_t start, const ClipConfig& config) {
  std::vector<int64_t> indices;
  for (int64_t index = start; std::ssize(indices) < config.frames;) {
    indices.push_back(index);
    if (index + 1 + config.sampling_rate < frame_count) index += config.sampling_rate;
  }
  return indices;
}

Box voxceleb2_box(const std::string& file, int width, int height, int image_size) {
  if (image_size > 192) return {0, 0, width, height};
  const int side = image_size <= 160 ? 160 : 192;
  const int x = (224 - side) / 2;
  check(width >= x + side && height >= side, file, ": frames of ", width, "x", height,
        " are too small for the VoxCeleb2 face box ", side, "x", side, " at column ", x);
  return {x, 0, side, side};
}

Box draw_crop(int width, int height, int image_size, PhiloxStream& random) {
  constexpr std::array<double, 4> kScales{1, 0.875, 0.75, 0.66};
  constexpr std::array<std::pair<int, int>, 13> kPlaces{{{0, 0},
                                                         {4, 0},
                                                         {0, 4},
                                                         {4, 4},
                                                         {2, 2},
                                                         {0, 2},
                                                         {4, 2},
                                                         {2, 4},
                                                         {2, 0},
                                                         {1, 1},
                                                         {3, 1},
                                                         {1, 3},
                                                         {3, 3}}};
  const int base = std::min(width, height);
  std::array<int, 4> sizes{};
  for (size_t i = 0; i < sizes.size(); ++i) {
    const int size = static_cast<int>(base * kScales[i]);
    sizes[i] = std::abs(size - image_size) <= 2 ? std::min(image_size, base) : size;
  }
  std::vector<std::pair<int, int>> pairs;  // (width, height)
  for (size_t row = 0; row < sizes.size(); ++row)
    for (size_t col = 0; col < sizes.size(); ++col)
      if (std::max(row, col) - std::min(row, col) <= 1) pairs.emplace_back(sizes[col], sizes[row]);
  const auto [crop_width, crop_height] = pairs[random.below(pairs.size())];
  const auto [column, row] = kPlaces[random.below(kPlaces.size())];
  return {column * ((width - crop_width) / 4), row * ((height - crop_height) / 4), crop_width,
          crop_height};
}

int64_t clip_values(const ClipConfig& config) {
  return int64_t{3} * config.frames * config.image_size * config.image_size;
}

void load_clips(const std::filesystem::path& file, int threads, const ClipConfig& config,
                PhiloxStream& random, std::span<uint8_t> out) {
  internal_check(std::ssize(out) == config.num_samples * clip_values(config), "a buffer of ",
                 out.size(), " bytes for ", config.num_samples, " clips");
  const auto source = open_frames(file, threads);
  std::vector<int64_t> indices;
  for (const int64_t start : draw_starts(source->frame_count(), config, random))
    for (const int64_t index : clip_indices(source->frame_count(), start, config))
      indices.push_back(index);
  const std::vector<Image> images = source->read(indices);
  const int width = images.front().width;
  const int height = images.front().height;
  Box box{0, 0, width, height};
  if (config.voxceleb2) box = voxceleb2_box(file.string(), width, height, config.image_size);
  if (config.augment)
    box = within(box, draw_crop(box.width, box.height, config.image_size, random));
  const int64_t pixels = int64_t{config.image_size} * config.image_size;
  for (size_t i = 0; i < images.size(); ++i) {
    check(images[i].width == width && images[i].height == height, file.string(), ": frame ",
          indices[i], " is ", images[i].width, "x", images[i].height, ", the first is ", width, "x",
          height);
    const auto sample = static_cast<int64_t>(i) / config.frames;
    const auto frame = static_cast<int64_t>(i) % config.frames;
    spread(resize(images[i], box, config.image_size, config.image_size),
           out.data() + sample * clip_values(config) + frame * pixels, config.frames * pixels);
  }
}

}  // namespace grimace
