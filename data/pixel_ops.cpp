#include "data/pixel_ops.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <numeric>

#include "ir/error.h"

namespace grimace {
namespace {

constexpr uint8_t kGrey = 128;  // outside the picture

using Histogram = std::array<int64_t, 256>;

template <typename Function>
PixelTables same_for_all_colours(Function&& value) {
  PixelTables tables;
  for (int v = 0; v < 256; ++v)
    for (auto& table : tables) table[static_cast<size_t>(v)] = static_cast<uint8_t>(value(v));
  return tables;
}

PixelTables identity() {
  return same_for_all_colours([](int v) { return v; });
}

std::array<Histogram, 3> histograms(const Image& image) {
  std::array<Histogram, 3> counts{};
  for (size_t i = 0; i < image.rgb.size(); ++i) ++counts[i % 3][image.rgb[i]];
  return counts;
}

// ITU-R 601 luma in 16-bit fixed point, as Image.convert("L").
uint8_t luma(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

// Image.blend: from `base` towards, or past, `image`. Truncates, in single precision.
Image blend(const Image& base, const Image& image, float factor) {
  Image out = image;
  for (size_t i = 0; i < out.rgb.size(); ++i) {
    const int from = base.rgb[i];
    const float value = static_cast<float>(from) + factor * static_cast<float>(image.rgb[i] - from);
    out.rgb[i] = static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f));
  }
  return out;
}

// ImageFilter.SMOOTH: 3x3 weights 1, centre 5, over 13; the border stays.
Image smooth(const Image& image) {
  constexpr float kSide = 1.0f / 13.0f;
  constexpr float kCentre = 5.0f / 13.0f;
  Image out = image;
  const ptrdiff_t stride = ptrdiff_t{3} * image.width;
  const auto row = [](const uint8_t* at, float centre) {
    return static_cast<float>(at[-3]) * kSide + static_cast<float>(at[0]) * centre +
           static_cast<float>(at[3]) * kSide;
  };
  for (int y = 1; y < image.height - 1; ++y)
    for (ptrdiff_t i = 3; i < stride - 3; ++i) {
      const uint8_t* at = image.rgb.data() + y * stride + i;
      float sum = 0.5f;  // the order of these sums decides the last bit
      sum += row(at + stride, kSide);
      sum += row(at, kCentre);
      sum += row(at - stride, kSide);
      out.rgb[static_cast<size_t>(y * stride + i)] =
          static_cast<uint8_t>(std::clamp(sum, 0.0f, 255.0f));
    }
  return out;
}

// The cubic through four neighbours, `t` of the way from the second to the third.
double cubic(double v1, double v2, double v3, double v4, double t) {
  const double p2 = -v1 + v3;
  const double p3 = 2 * (v1 - v2) + v3 - v4;
  const double p4 = -v1 + v2 - v3 + v4;
  return v2 + t * (p2 + t * (p3 + t * p4));
}

// Writes the three colours at a place inside the picture; neighbours outside repeat its border.
void sample_bicubic(const Image& image, double place_x, double place_y, uint8_t* out) {
  place_x -= 0.5;
  place_y -= 0.5;
  const int x = static_cast<int>(std::floor(place_x));
  const int y = static_cast<int>(std::floor(place_y));
  std::array<ptrdiff_t, 4> columns;
  std::array<const uint8_t*, 4> rows;
  for (int k = 0; k < 4; ++k) {
    const auto at = static_cast<size_t>(k);
    columns[at] = ptrdiff_t{3} * std::clamp(x - 1 + k, 0, image.width - 1);
    rows[at] =
        image.rgb.data() + ptrdiff_t{3} * image.width * std::clamp(y - 1 + k, 0, image.height - 1);
  }
  for (int c = 0; c < 3; ++c) {
    std::array<double, 4> values;
    for (size_t k = 0; k < 4; ++k)
      values[k] = cubic(rows[k][columns[0] + c], rows[k][columns[1] + c], rows[k][columns[2] + c],
                        rows[k][columns[3] + c], place_x - x);
    const double value = cubic(values[0], values[1], values[2], values[3], place_y - y);
    out[c] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
  }
}

// To 15 decimals, as a decimal number that is correctly rounded both ways.
double round_to_15_decimals(double value) {
  std::array<char, 64> text;
  const auto written =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 15);
  double rounded = 0;
  std::from_chars(text.data(), written.ptr, rounded);
  return rounded;
}

}  // namespace

Image map_pixels(const Image& image, const PixelTables& tables) {
  Image out = image;
  for (size_t i = 0; i < out.rgb.size(); ++i) out.rgb[i] = tables[i % 3][image.rgb[i]];
  return out;
}

Image auto_contrast(const Image& image) {
  PixelTables tables = identity();
  const auto counts = histograms(image);
  for (size_t c = 0; c < 3; ++c) {
    const auto used = [](int64_t count) { return count > 0; };
    const auto low = std::find_if(counts[c].begin(), counts[c].end(), used) - counts[c].begin();
    const auto high =
        counts[c].rend() - std::find_if(counts[c].rbegin(), counts[c].rend(), used) - 1;
    if (high <= low) continue;
    const double scale = 255.0 / static_cast<double>(high - low);
    const double offset = static_cast<double>(-low) * scale;
    for (int v = 0; v < 256; ++v)
      tables[c][static_cast<size_t>(v)] =
          static_cast<uint8_t>(std::clamp(static_cast<int>(v * scale + offset), 0, 255));
  }
  return map_pixels(image, tables);
}

Image equalize(const Image& image) {
  PixelTables tables = identity();
  const auto counts = histograms(image);
  for (size_t c = 0; c < 3; ++c) {
    const auto brightest =
        std::find_if(counts[c].rbegin(), counts[c].rend(), [](int64_t count) { return count > 0; });
    const int64_t total = std::accumulate(counts[c].begin(), counts[c].end(), int64_t{0});
    const int64_t step = (total - *brightest) / 255;  // 0 for a flat or tiny picture
    if (step == 0) continue;
    int64_t below = step / 2;
    for (size_t v = 0; v < 256; ++v) {
      // The division can exceed 255 only above the brightest value, which no pixel has.
      tables[c][v] = static_cast<uint8_t>(std::min<int64_t>(below / step, 255));
      below += counts[c][v];
    }
  }
  return map_pixels(image, tables);
}

Image invert(const Image& image) {
  return map_pixels(image, same_for_all_colours([](int v) { return 255 - v; }));
}

Image posterize(const Image& image, int bits) {
  internal_check(bits >= 0 && bits <= 8, "posterize to ", bits, " bits");
  const int mask = ~((1 << (8 - bits)) - 1);
  return map_pixels(image, same_for_all_colours([&](int v) { return v & mask; }));
}

Image solarize(const Image& image, int threshold) {
  return map_pixels(image,
                    same_for_all_colours([&](int v) { return v < threshold ? v : 255 - v; }));
}

Image solarize_add(const Image& image, int add) {
  internal_check(add >= 0, "solarize_add of ", add);
  return map_pixels(
      image, same_for_all_colours([&](int v) { return v < 128 ? std::min(v + add, 255) : v; }));
}

Image enhance_color(const Image& image, float factor) {
  Image grey = image;
  for (size_t i = 0; i < grey.rgb.size(); i += 3)
    std::fill_n(grey.rgb.begin() + static_cast<ptrdiff_t>(i), 3, luma(image.rgb.data() + i));
  return blend(grey, image, factor);
}

Image enhance_contrast(const Image& image, float factor) {
  int64_t sum = 0;
  for (size_t i = 0; i < image.rgb.size(); i += 3) sum += luma(image.rgb.data() + i);
  const double mean = static_cast<double>(sum) / static_cast<double>(image.rgb.size() / 3);
  Image flat = image;
  std::fill(flat.rgb.begin(), flat.rgb.end(), static_cast<uint8_t>(mean + 0.5));
  return blend(flat, image, factor);
}

Image enhance_brightness(const Image& image, float factor) {
  Image black = image;
  std::fill(black.rgb.begin(), black.rgb.end(), uint8_t{0});
  return blend(black, image, factor);
}

Image enhance_sharpness(const Image& image, float factor) {
  return blend(smooth(image), image, factor);
}

Image affine(const Image& image, const Affine& map) {
  Image out = image;
  uint8_t* to = out.rgb.data();
  for (int row = 0; row < image.height; ++row)
    for (int column = 0; column < image.width; ++column, to += 3) {
      const double x = column + 0.5;
      const double y = row + 0.5;
      const double place_x = map.a * x + map.b * y + map.c;
      const double place_y = map.d * x + map.e * y + map.f;
      if (place_x >= 0.0 && place_x < image.width && place_y >= 0.0 && place_y < image.height)
        sample_bicubic(image, place_x, place_y, to);
      else
        std::fill_n(to, 3, kGrey);
    }
  return out;
}

Image rotate(const Image& image, double degrees) {
  // As the reference's library, modulo a full turn before converting to radians.
  double turn = std::fmod(degrees, 360.0);
  if (turn < 0) turn += 360.0;
  if (turn == 0) return image;
  const double angle = -(turn * (std::numbers::pi / 180.0));
  const double cosine = round_to_15_decimals(std::cos(angle));
  const double sine = round_to_15_decimals(std::sin(angle));
  const double x = image.width / 2.0;
  const double y = image.height / 2.0;
  return affine(image, {.a = cosine,
                        .b = sine,
                        .c = cosine * -x + sine * -y + 0.0 + x,
                        .d = -sine,
                        .e = cosine,
                        .f = -sine * -x + cosine * -y + 0.0 + y});
}

}  // namespace grimace
