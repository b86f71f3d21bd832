// reconstruction_target, cube by cube: each channel of a cube is read once, centred and scaled
// while it is in the first-level cache, and written interleaved. Serves differences inside a cube.
#include <omp.h>

#include <cmath>

#include "backends/cpu/kernels.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"
#include "ir/ops/rows.h"
#include "ir/pixels.h"

namespace grimace::cpu {
namespace {

struct Target {
  const float* video;  // [B,3,T,H,W]
  float* y;
  int64_t time, height, width;  // of a clip, in pixels
  int64_t tubelet, patch;
  bool normalise, differences;

  int64_t frame() const { return patch * patch; }
  int64_t pixels() const { return tubelet * frame(); }

  // One channel of the cube whose first pixel is at `from`, in [0,1].
  void read(const float* from, size_t channel, float* x) const {
    const float mean = kPixelMean<float>[channel];
    const float deviation = kPixelStd<float>[channel];
    for (int64_t t = 0; t < tubelet; ++t)
      for (int64_t r = 0; r < patch; ++r) {
        const float* row = from + (t * height + r) * width;
        float* to = x + (t * patch + r) * patch;
#pragma GCC ivdep
        for (int64_t c = 0; c < patch; ++c) to[c] = row[c] * deviation + mean;
      }
  }

  // x becomes (x - mean) / (sqrt(unbiased variance) + eps); shifted first, so that a cube without
  // contrast gives exact zeros.
  void scale(float* x) const {
    const int64_t count = pixels();
    const float first = x[0];
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) x[i] -= first;
    const float mean = lane_sum(count, [x](int64_t i) { return x[i]; }) / static_cast<float>(count);
    const float squares =
        lane_sum(count, [x, mean](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
    const float sigma =
        std::sqrt(squares / static_cast<float>(count - 1)) + static_cast<float>(kCubeSigmaEps);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) x[i] = (x[i] - mean) / sigma;
  }

  // The cube at `corner` (of channel 0) into `to` [pixels, 3]; x: scratch of 3 * pixels.
  void cube(const float* corner, float* to, float* x) const {
    const int64_t count = pixels();
    for (int channel = 0; channel < 3; ++channel) {
      float* values = x + channel * count;
      read(corner + channel * time * height * width, static_cast<size_t>(channel), values);
      if (normalise) scale(values);
      for (int64_t i = frame(); differences && i < count; i += frame())
#pragma GCC ivdep
        for (int64_t j = 0; j < frame(); ++j) values[i + j] -= values[j];
    }
    for (int64_t i = 0; i < count; ++i)
      for (int64_t channel = 0; channel < 3; ++channel)
        to[3 * i + channel] = x[channel * count + i];
  }

  const float* corner(int64_t clip, int64_t token) const {
    const int64_t columns = width / patch;
    const int64_t rows = height / patch;
    const int64_t t = token / (rows * columns) * tubelet;
    const int64_t r = token / columns % rows * patch;
    const int64_t c = token % columns * patch;
    return video + ((clip * 3 * time + t) * height + r) * width + c;
  }
};

}  // namespace

bool serves_reconstruction_target(const Node& node) {
  const int64_t group = node.integer("group");
  return node.in(0).dtype == DType::f32 && (group <= 1 || group == node.integer("tubelet"));
}

Kernel make_reconstruction_target(const Node& node, const Operands& operands, const Context& cpu) {
  const Shape& video = node.in(0).shape;
  const Target target{.video = operands.in[0].as<float>().data(),
                      .y = operands.out[0].as<float>().data(),
                      .time = video[2],
                      .height = video[3],
                      .width = video[4],
                      .tubelet = node.integer("tubelet"),
                      .patch = node.integer("patch"),
                      .normalise = node.flag("normalise"),
                      .differences = node.integer("group") > 1};
  const int64_t size = 3 * target.pixels();
  const int64_t per_clip = node.out().shape[1];
  const int64_t tokens = video[2] * video[3] * video[4] * 3 / std::max<int64_t>(1, size);
  cpu.workspace->reserve(cpu.threads * size * size_of(DType::f32));
  const bool all = node.num_inputs() == 1;
  const auto index = all ? std::span<const int32_t>{} : operands.in[1].as<int32_t>();
  return [=, &node] {
    for (const int32_t i : index) ops::checked_row(node, i, tokens);
    auto* scratch = cpu.workspace->as<float>();
    parallel_for(cpu, video[0] * per_clip, grain_rows(size), [=](int64_t begin, int64_t end) {
      float* x = scratch + omp_get_thread_num() * size;
      for (int64_t item = begin; item < end; ++item) {
        const int64_t token = all ? item % per_clip : index[static_cast<size_t>(item)];
        target.cube(target.corner(item / per_clip, token), target.y + item * size, x);
      }
    });
  };
}

}  // namespace grimace::cpu
