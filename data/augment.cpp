#include "data/augment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/clip.h"
#include "ir/error.h"

namespace grimace {
namespace {

void check_interval(const char* name, const std::array<double, 2>& interval, double low,
                    double high) {
  check(interval[0] >= low && interval[0] <= interval[1] && interval[1] <= high, name,
        " must be two rising numbers in ", low, "..", high, "; got ", interval[0], " and ",
        interval[1]);
}

// A box size of random area and shape; its logarithm is uniform in the shape's interval.
// `shape` is the first of the result over the second.
std::pair<int, int> draw_size(double whole, std::array<double, 2> area, std::array<double, 2> shape,
                              PhiloxStream& random) {
  const double pixels = random.uniform(area[0], area[1]) * whole;
  const double ratio = std::exp(random.uniform(std::log(shape[0]), std::log(shape[1])));
  return {static_cast<int>(std::nearbyint(std::sqrt(pixels * ratio))),
          static_cast<int>(std::nearbyint(std::sqrt(pixels / ratio)))};
}

// A place for a box of this size, every one equally likely.
Box place(int box_width, int box_height, int width, int height, PhiloxStream& random) {
  const auto y = static_cast<int>(random.below(static_cast<uint64_t>(height - box_height + 1)));
  const auto x = static_cast<int>(random.below(static_cast<uint64_t>(width - box_width + 1)));
  return {x, y, box_width, box_height};
}

// Output i lies between inputs `first` and `second`, `share` of the way.
struct Neighbours {
  int first = 0;
  int second = 0;
  float share = 0;
};

std::vector<Neighbours> neighbours(int in_size, int out_size, bool mirror) {
  const float scale = static_cast<float>(in_size) / static_cast<float>(out_size);
  std::vector<Neighbours> result;
  for (int i = 0; i < out_size; ++i) {
    const int at = mirror ? out_size - 1 - i : i;
    const float centre = std::max((static_cast<float>(at) + 0.5f) * scale - 0.5f, 0.0f);
    const int first = std::min(static_cast<int>(centre), in_size - 1);
    result.push_back({first, std::min(first + 1, in_size - 1), centre - static_cast<float>(first)});
  }
  return result;
}

}  // namespace

void validate(const AugmentConfig& config) {
  check_interval("the crop's area", config.crop_area, 1e-3, 1);
  check_interval("the crop's aspect", config.crop_aspect, 0.01, 100);
  check(config.flip >= 0 && config.flip <= 1, "the probability of a flip must be in 0..1; got ",
        config.flip);
  check(config.reprob >= 0 && config.reprob <= 1, "reprob must be in 0..1; got ", config.reprob);
  check(config.recount >= 1 && config.recount <= 100, "recount must be in 1..100; got ",
        config.recount);
}

Box draw_resized_crop(int width, int height, const AugmentConfig& config, PhiloxStream& random) {
  constexpr int kTries = 10;
  const double whole = static_cast<double>(width) * height;
  for (int i = 0; i < kTries; ++i) {
    const auto [w, h] = draw_size(whole, config.crop_area, config.crop_aspect, random);
    if (w > 0 && h > 0 && w <= width && h <= height) return place(w, h, width, height, random);
  }
  const double aspect = static_cast<double>(width) / height;
  Box box{0, 0, width, height};
  if (aspect < config.crop_aspect[0])
    box.height = static_cast<int>(std::nearbyint(width / config.crop_aspect[0]));
  else if (aspect > config.crop_aspect[1])
    box.width = static_cast<int>(std::nearbyint(height * config.crop_aspect[1]));
  box.x = (width - box.width) / 2;
  box.y = (height - box.height) / 2;
  return box;
}

std::vector<Box> draw_erasing(int width, int height, const AugmentConfig& config,
                              PhiloxStream& random) {
  constexpr int kTries = 100;
  constexpr std::array<double, 2> kArea{0.02, 1.0 / 3.0};
  constexpr std::array<double, 2> kShape{0.3, 1.0 / 0.3};
  std::vector<Box> boxes;
  if (random.uniform() >= config.reprob) return boxes;
  const double whole = static_cast<double>(width) * height / config.recount;
  for (int i = 0; i < config.recount; ++i)
    for (int attempt = 0; attempt < kTries; ++attempt) {
      const auto [h, w] = draw_size(whole, kArea, kShape, random);
      if (h >= height || w >= width) continue;
      boxes.push_back(place(w, h, width, height, random));
      break;
    }
  return boxes;
}

void resize_plane(std::span<const float> in, int width, const Box& box, bool mirror,
                  std::span<float> out, int out_height, int out_width) {
  const auto columns = neighbours(box.width, out_width, mirror);
  const auto rows = neighbours(box.height, out_height, false);
  float* to = out.data();
  for (const Neighbours& y : rows) {
    const float* above = in.data() + ptrdiff_t{box.y + y.first} * width + box.x;
    const float* below = in.data() + ptrdiff_t{box.y + y.second} * width + box.x;
    for (const Neighbours& x : columns) {
      const float top = (1 - x.share) * above[x.first] + x.share * above[x.second];
      const float bottom = (1 - x.share) * below[x.first] + x.share * below[x.second];
      *to++ = (1 - y.share) * top + y.share * bottom;
    }
  }
}

void erase(std::span<float> clip, int height, int width, const Box& box, PhiloxStream& random) {
  const auto plane = static_cast<ptrdiff_t>(height) * width;
  for (float* at = clip.data(); at < clip.data() + clip.size(); at += plane)
    for (int y = box.y; y < box.y + box.height; ++y)
      for (int x = box.x; x < box.x + box.width; ++x)
        at[ptrdiff_t{y} * width + x] = static_cast<float>(random.normal());
}

void augment_clip(const std::vector<Image>& frames, const AugmentConfig& config,
                  PhiloxStream& random, std::span<float> out) {
  const int size = frames.front().width;
  const auto plane = static_cast<size_t>(size) * static_cast<size_t>(size);
  internal_check(out.size() == 3 * frames.size() * plane, "a buffer of ", out.size(),
                 " floats for ", frames.size(), " frames of ", size);
  const auto steps = config.aa ? draw_rand_augment(*config.aa, random) : std::vector<AugmentStep>{};
  const Box box = draw_resized_crop(size, size, config, random);
  const bool mirror = random.uniform() < config.flip;
  std::vector<float> pixels(3 * plane);
  for (size_t t = 0; t < frames.size(); ++t) {
    Image image = frames[t];
    for (const AugmentStep& step : steps) image = apply(step, image);
    normalise(image, pixels.data(), static_cast<int64_t>(plane));
    for (size_t c = 0; c < 3; ++c)
      resize_plane(std::span(pixels).subspan(c * plane, plane), size, box, mirror,
                   out.subspan((c * frames.size() + t) * plane, plane), size, size);
  }
  for (const Box& hole : draw_erasing(size, size, config, random))
    erase(out, size, size, hole, random);
}

}  // namespace grimace
