// Undoes target construction for masked cubes, frame by frame in time order.
#include "data/reconstruction_picture.h"

#include <algorithm>
#include <cmath>

#include "data/clip.h"
#include "ir/error.h"

namespace grimace {
namespace {

constexpr int kTubelet = 2;
constexpr int kColours = 3;
constexpr float kBrightest = 0.996f;
constexpr double kEpsilon = 1e-6;

// How the cubes of a clip lie: which token a pixel belongs to and where in it.
struct CubeGrid {
  int patch, rows, columns, tokens;

  int token(int frame, int y, int x) const {
    return (frame / kTubelet * rows + y / patch) * columns + x / patch;
  }
  size_t place(int frame, int y, int x, int colour) const {
    const int pixel = (frame % kTubelet * patch + y % patch) * patch + x % patch;
    return static_cast<size_t>(pixel) * kColours + colour;
  }
  size_t values() const { return static_cast<size_t>(kTubelet) * patch * patch * kColours; }
};

// Of every token and colour: mean, and deviation + epsilon; 0 and 1 without normalisation.
struct CubeStatistics {
  std::vector<double> mean, scale;
};

CubeGrid check_sizes(size_t video, int frames, int height, int width, size_t mask,
                     const ReconstructionOptions& o) {
  const auto in_range = [](int v, int most) { return v >= 1 && v <= most; };
  check(o.patch >= 1 && in_range(frames, 65536) && in_range(height, 16384) &&
            in_range(width, 16384) && frames % kTubelet == 0 && height % o.patch == 0 &&
            width % o.patch == 0,
        "reconstruction: ", frames, " frames of ", width, " x ", height,
        " do not tile into cubes of ", kTubelet, " x ", o.patch, " x ", o.patch);
  check(!o.frame_diff || (o.diff_group_size >= 1 && frames % o.diff_group_size == 0),
        "reconstruction: ", frames, " frames do not divide into groups of ", o.diff_group_size);
  check(video == static_cast<size_t>(kColours) * frames * height * width,
        "reconstruction: the video has ", video, " values; expected 3 x ", frames, " x ", height,
        " x ", width);
  const int rows = height / o.patch;
  const int columns = width / o.patch;
  const CubeGrid grid{o.patch, rows, columns, frames / kTubelet * rows * columns};
  check(mask == static_cast<size_t>(grid.tokens), "reconstruction: the mask has ", mask,
        " tokens; expected ", grid.tokens);
  return grid;
}

// Calls visit(colour, frame, y, x) for every value, frames in the outer loop.
template <typename Visit>
void for_each_value(const PlanarVideo& video, const Visit& visit) {
  for (int frame = 0; frame < video.frames; ++frame)
    for (int colour = 0; colour < kColours; ++colour)
      for (int y = 0; y < video.height; ++y)
        for (int x = 0; x < video.width; ++x) visit(colour, frame, y, x);
}

CubeStatistics cube_statistics(const PlanarVideo& video, const CubeGrid& grid, bool normalised) {
  const size_t count = static_cast<size_t>(grid.tokens) * kColours;
  CubeStatistics s{std::vector<double>(count, 0.0), std::vector<double>(count, 1.0)};
  if (!normalised) return s;
  const double pixels = static_cast<double>(grid.values() / kColours);
  for_each_value(video, [&](int c, int f, int y, int x) {
    s.mean[grid.token(f, y, x) * kColours + c] += video.values[video.index(c, f, y, x)] / pixels;
  });
  std::vector<double> squares(count, 0.0);
  for_each_value(video, [&](int c, int f, int y, int x) {
    const size_t i = grid.token(f, y, x) * kColours + c;
    const double away = video.values[video.index(c, f, y, x)] - s.mean[i];
    squares[i] += away * away;
  });
  for (size_t i = 0; i < count; ++i)
    s.scale[i] = std::sqrt(squares[i] / std::max(1.0, pixels - 1)) + kEpsilon;
  return s;
}

int group_start(int frame, const ReconstructionOptions& options) {
  check(options.diff_group_size >= 1, "reconstruction: the group size of frame differences must ",
        "be at least 1; got ", options.diff_group_size);
  return frame - frame % options.diff_group_size;
}

uint8_t to_byte(float v) {
  return static_cast<uint8_t>(std::clamp(v, 0.0f, kBrightest) * 255.0f);
}

// A picture of value(colour, y, x); NaN is drawn black.
template <typename Value>
Image draw(const PlanarVideo& video, const Value& value) {
  Image image = make_image(video.width, video.height, {});
  size_t i = 0;
  for (int y = 0; y < video.height; ++y)
    for (int x = 0; x < video.width; ++x)
      for (int c = 0; c < kColours; ++c) {
        const float v = value(c, y, x);
        image.rgb[i++] = std::isnan(v) ? 0 : to_byte(v);
      }
  return image;
}

void check_frame(const PlanarVideo& video, int frame) {
  check(frame >= 0 && frame < video.frames, "reconstruction: there is no frame ", frame,
        "; the clip has frames 0..", video.frames - 1);
}

}  // namespace

Reconstruction reconstruct_clip(std::span<const float> video, int frames, int height, int width,
                                std::span<const uint8_t> mask, std::span<const float> prediction,
                                const ReconstructionOptions& options) {
  const CubeGrid grid = check_sizes(video.size(), frames, height, width, mask.size(), options);
  std::vector<size_t> first_value(mask.size());  // of a masked token in `prediction`
  size_t masked = 0;
  for (size_t t = 0; t < mask.size(); ++t)
    if (mask[t] != 0) first_value[t] = grid.values() * masked++;
  check(prediction.size() == masked * grid.values(), "reconstruction: the prediction has ",
        prediction.size(), " values; expected ", masked, " masked tokens x ", grid.values());

  PlanarVideo original{frames, height, width, std::vector<float>(video.size())};
  for_each_value(original, [&](int c, int f, int y, int x) {
    const size_t i = original.index(c, f, y, x);
    original.values[i] = video[i] * kPixelStd<float>[c] + kPixelMean<float>[c];
  });
  const CubeStatistics stats = cube_statistics(original, grid, options.normalised);
  Reconstruction clip{original, original, original};
  // What the model's targets are made of: pixels normalised by their own cube.
  std::vector<double> z(video.size());
  for_each_value(original, [&](int c, int f, int y, int x) {
    const size_t i = original.index(c, f, y, x);
    const size_t token = grid.token(f, y, x);
    const double mean = stats.mean[token * kColours + c];
    const double scale = stats.scale[token * kColours + c];
    if (mask[token] == 0) {
      z[i] = (original.values[i] - mean) / scale;
      return;
    }
    z[i] = prediction[first_value[token] + grid.place(f, y, x, c)];
    if (options.frame_diff && f != group_start(f, options))
      z[i] += z[original.index(c, group_start(f, options), y, x)];
    clip.result.values[i] = static_cast<float>(z[i] * scale + mean);
    clip.masked.values[i] = 0;
  });
  return clip;
}

Image frame_picture(const PlanarVideo& video, int frame) {
  check_frame(video, frame);
  return draw(video,
              [&](int c, int y, int x) { return video.values[video.index(c, frame, y, x)]; });
}

Image difference_picture(const PlanarVideo& video, int frame,
                         const ReconstructionOptions& options) {
  check_frame(video, frame);
  const int start = group_start(frame, options);
  if (start == frame) return frame_picture(video, frame);
  return draw(video, [&](int c, int y, int x) {
    return 0.5f + options.difference_gain * (video.values[video.index(c, frame, y, x)] -
                                             video.values[video.index(c, start, y, x)]);
  });
}

namespace {

constexpr int kSmallestTile = 96;  // pixels: room for the label of a column

// Every pixel as a square of them, where the picture is small.
Image enlarged(const Image& picture) {
  const int times = (kSmallestTile + picture.width - 1) / picture.width;
  if (times <= 1) return picture;
  Image large = make_image(picture.width * times, picture.height * times, {});
  for (int y = 0; y < large.height; ++y)
    for (int x = 0; x < large.width; ++x)
      for (int c = 0; c < kColours; ++c)
        large.rgb[(static_cast<size_t>(y) * large.width + x) * 3 + c] =
            picture.rgb[(static_cast<size_t>(y / times) * picture.width + x / times) * 3 + c];
  return large;
}

}  // namespace

Image reconstruction_grid(const Reconstruction& clip, const std::vector<int>& chosen_frames,
                          const ReconstructionOptions& options) {
  std::vector<GridRow> rows{{"original", {}},
                            {"masked", {}},
                            {"reconstructed", {}},
                            {"true motion", {}},
                            {"recon. motion", {}}};
  std::vector<std::string> columns;
  for (const int frame : chosen_frames) {
    columns.push_back(cat("frame ", frame));
    rows[0].tiles.push_back(enlarged(frame_picture(clip.original, frame)));
    rows[1].tiles.push_back(enlarged(frame_picture(clip.masked, frame)));
    rows[2].tiles.push_back(enlarged(frame_picture(clip.result, frame)));
    rows[3].tiles.push_back(enlarged(difference_picture(clip.original, frame, options)));
    rows[4].tiles.push_back(enlarged(difference_picture(clip.result, frame, options)));
  }
  return compose_grid(rows, columns);
}

std::vector<int> motion_frames(int frames, int count, const ReconstructionOptions& options) {
  const int groups = frames / std::max(1, options.diff_group_size);
  const int shown = std::min(count, groups);
  std::vector<int> chosen;
  for (int i = 0; i < shown; ++i)
    chosen.push_back((i * groups / shown + 1) * options.diff_group_size - 1);
  return chosen;
}

}  // namespace grimace
