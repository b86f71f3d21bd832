// reconstruction_target and reconstruction_loss, cube by cube: each channel of a cube is read once,
// centred and scaled while it is in the first-level cache, and interleaved; the loss compares it
// with the prediction there and then. Serves differences inside a cube.
#include <omp.h>

#include <cmath>
#include <numeric>

#include "backends/cpu/kernels.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"
#include "ir/ops/rows.h"
#include "ir/pixels.h"

namespace grimace::cpu {
namespace {

struct Target {
  const float* video;           // [B,3,T,H,W]
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

// The cubes one node is about, and the scratch that each thread has for one of them.
struct Items {
  Target target;
  int64_t per_clip, count;
  std::span<const int32_t> index;  // [count]; empty: all cubes in order
  int64_t tokens;

  Items(const Node& node, const Operands& operands, int64_t video) {
    const Shape& shape = node.in(static_cast<int>(video)).shape;
    const auto input = static_cast<size_t>(video);
    target = {.video = operands.in[input].as<float>().data(),
              .time = shape[2],
              .height = shape[3],
              .width = shape[4],
              .tubelet = node.integer("tubelet"),
              .patch = node.integer("patch"),
              .normalise = node.flag("normalise"),
              .differences = node.integer("group") > 1};
    per_clip = node.out().shape[1];
    count = shape[0] * per_clip;
    if (operands.in.size() > input + 1) index = operands.in[input + 1].as<int32_t>();
    tokens = shape[2] * shape[3] * shape[4] / target.pixels();
  }

  int64_t size() const { return 3 * target.pixels(); }
  const float* corner(int64_t item) const {
    const int64_t token = index.empty() ? item % per_clip : index[static_cast<size_t>(item)];
    return target.corner(item / per_clip, token);
  }
  void check(const Node& node) const {
    for (const int32_t i : index) ops::checked_row(node, i, tokens);
  }
};

// G: what the gradient is made of, f32 or bf16.
template <typename G>
Kernel loss(const Node& node, const Operands& operands, const Context& cpu) {
  const Items items(node, operands, 1);
  const int64_t size = items.size();
  // Each thread's target and its channels, then the mean of every row.
  const int64_t rows_at = cpu.threads * 2 * size;
  cpu.workspace->reserve((rows_at + items.count) * size_of(DType::f32));
  const auto share = static_cast<float>(2.0 / static_cast<double>(node.in(0).numel()));
  const float* pred = operands.in[0].as<float>().data();
  G* gradient = operands.out[0].as<G>().data();
  return [=, &node, result = operands.out[1].as<float>().data()] {
    items.check(node);
    auto* scratch = cpu.workspace->as<float>();
    float* rows = scratch + rows_at;
    parallel_for(cpu, items.count, grain_rows(size), [=](int64_t begin, int64_t end) {
      float* target = scratch + omp_get_thread_num() * 2 * size;
      for (int64_t item = begin; item < end; ++item) {
        items.target.cube(items.corner(item), target, target + size);
        const float* p = pred + item * size;
        G* g = gradient + item * size;
        rows[item] =
            lane_sum(size, [=](int64_t i) { return (p[i] - target[i]) * (p[i] - target[i]); }) /
            static_cast<float>(size);
#pragma GCC ivdep
        for (int64_t i = 0; i < size; ++i) g[i] = G((p[i] - target[i]) * share);
      }
    });
    *result = static_cast<float>(std::accumulate(rows, rows + items.count, 0.0) /
                                 static_cast<double>(items.count));
  };
}

bool serves(const Node& node, int video) {
  const int64_t group = node.integer("group");
  return node.in(video).dtype == DType::f32 && (group <= 1 || group == node.integer("tubelet"));
}

}  // namespace

bool serves_reconstruction_target(const Node& node) {
  return serves(node, 0);
}
bool serves_reconstruction_loss(const Node& node) {
  return serves(node, 1) && (node.out().dtype == DType::f32 || node.out().dtype == DType::bf16);
}

Kernel make_reconstruction_target(const Node& node, const Operands& operands, const Context& cpu) {
  const Items items(node, operands, 0);
  const int64_t size = items.size();
  cpu.workspace->reserve(cpu.threads * size * size_of(DType::f32));
  return [=, &node, y = operands.out[0].as<float>().data()] {
    items.check(node);
    auto* scratch = cpu.workspace->as<float>();
    parallel_for(cpu, items.count, grain_rows(size), [=](int64_t begin, int64_t end) {
      float* x = scratch + omp_get_thread_num() * size;
      for (int64_t item = begin; item < end; ++item)
        items.target.cube(items.corner(item), y + item * size, x);
    });
  };
}

Kernel make_reconstruction_loss(const Node& node, const Operands& operands, const Context& cpu) {
  return node.out().dtype == DType::f32 ? loss<float>(node, operands, cpu)
                                        : loss<bf16>(node, operands, cpu);
}

}  // namespace grimace::cpu
