#include "data/resize.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"

namespace grimace {
namespace {

constexpr int kPrecisionBits = 22;  // 32 minus 8 bits of pixel minus 2 of headroom

// Output position i is the sum of weights[i * stride + k] * input[first[i] + k], k < count[i].
struct Taps {
  int stride = 0;
  std::vector<int> first;
  std::vector<int> count;
  std::vector<int32_t> weights;
};

Taps make_taps(int in_size, int out_size) {
  const double scale = static_cast<double>(in_size) / out_size;
  const double support = std::max(scale, 1.0);
  Taps taps;
  taps.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.weights.resize(static_cast<size_t>(out_size) * taps.stride);
  std::vector<double> weights(static_cast<size_t>(taps.stride));
  for (int i = 0; i < out_size; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int count = std::min(static_cast<int>(centre + support + 0.5), in_size) - first;
    double total = 0;
    for (int k = 0; k < count; ++k) {
      // Multiplying by the reciprocal, as Pillow does, decides the last bit.
      const double distance = std::abs((k + first - centre + 0.5) * (1.0 / support));
      weights[k] = distance < 1.0 ? 1.0 - distance : 0.0;
      total += weights[k];
    }
    int32_t* row = taps.weights.data() + static_cast<ptrdiff_t>(i) * taps.stride;
    for (int k = 0; k < count; ++k)
      row[k] = static_cast<int32_t>(0.5 + weights[k] / total * (1 << kPrecisionBits));
    taps.first.push_back(first);
    taps.count.push_back(count);
  }
  return taps;
}

uint8_t round_to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

Image resize_width(const Image& in, int width) {
  const Taps taps = make_taps(in.width, width);
  Image out{width, in.height, std::vector<uint8_t>(static_cast<size_t>(width) * in.height * 3)};
  for (int y = 0; y < in.height; ++y) {
    const uint8_t* row = in.rgb.data() + static_cast<ptrdiff_t>(y) * in.width * 3;
    uint8_t* to = out.rgb.data() + static_cast<ptrdiff_t>(y) * width * 3;
    for (int x = 0; x < width; ++x, to += 3) {
      const int32_t* weights = taps.weights.data() + static_cast<ptrdiff_t>(x) * taps.stride;
      const uint8_t* from = row + static_cast<ptrdiff_t>(taps.first[x]) * 3;
      int32_t sums[3] = {1 << (kPrecisionBits - 1), 1 << (kPrecisionBits - 1),
                         1 << (kPrecisionBits - 1)};
      for (int k = 0; k < taps.count[x]; ++k, from += 3)
        for (int c = 0; c < 3; ++c) sums[c] += from[c] * weights[k];
      for (int c = 0; c < 3; ++c) to[c] = round_to_byte(sums[c]);
    }
  }
  return out;
}

Image resize_height(const Image& in, int height) {
  const Taps taps = make_taps(in.height, height);
  const auto row_bytes = static_cast<size_t>(in.width) * 3;
  Image out{in.width, height, std::vector<uint8_t>(row_bytes * height)};
  std::vector<int32_t> sums(row_bytes);
  for (int y = 0; y < height; ++y) {
    const int32_t* weights = taps.weights.data() + static_cast<ptrdiff_t>(y) * taps.stride;
    std::fill(sums.begin(), sums.end(), 1 << (kPrecisionBits - 1));
    for (int k = 0; k < taps.count[y]; ++k) {
      const uint8_t* from = in.rgb.data() + static_cast<size_t>(taps.first[y] + k) * row_bytes;
      for (size_t j = 0; j < row_bytes; ++j) sums[j] += from[j] * weights[k];
    }
    std::transform(sums.begin(), sums.end(), out.rgb.data() + y * row_bytes, round_to_byte);
  }
  return out;
}

}  // namespace

Image crop(const Image& image, const Box& box) {
  internal_check(box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0 &&
                     box.x + box.width <= image.width && box.y + box.height <= image.height,
                 "crop ", box.width, "x", box.height, "+", box.x, "+", box.y, " of a ", image.width,
                 "x", image.height, " image");
  Image out{box.width, box.height, {}};
  out.rgb.reserve(static_cast<size_t>(box.width) * box.height * 3);
  for (int y = box.y; y < box.y + box.height; ++y) {
    const auto row = image.rgb.begin() + (static_cast<ptrdiff_t>(y) * image.width + box.x) * 3;
    out.rgb.insert(out.rgb.end(), row, row + ptrdiff_t{3} * box.width);
  }
  return out;
}

Image resize(const Image& image, const Box& box, int width, int height) {
  internal_check(width > 0 && height > 0, "resize to ", width, "x", height);
  Image out = crop(image, box);
  if (out.width != width) out = resize_width(out, width);
  if (out.height != height) out = resize_height(out, height);
  return out;
}

}  // namespace grimace
