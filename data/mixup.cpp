#include "data/mixup.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"

namespace grimace {
namespace {

void check_range(const char* name, double value, double high) {
  check(value >= 0 && value <= high, name, " must be in 0..", high, "; got ", value);
}

// The logarithm of a Gamma(alpha, 1) draw, alpha > 0: Marsaglia and Tsang (2000) at alpha + 1, and
// the power of a uniform draw that leads down to alpha. Logarithms keep a small alpha from 0 / 0.
double log_gamma_draw(double alpha, PhiloxStream& random) {
  const double boost = std::log(1.0 - random.uniform()) / alpha;
  const double d = alpha + 1.0 - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = random.normal();
    const double u = 1.0 - random.uniform();
    const double root = 1.0 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return boost + std::log(d * v);
  }
}

Box draw_cut(double lam, int width, int height, PhiloxStream& random) {
  const double side = std::sqrt(1.0 - lam);
  const int half_height = static_cast<int>(height * side) / 2;
  const int half_width = static_cast<int>(width * side) / 2;
  const auto y = static_cast<int>(random.below(static_cast<uint64_t>(height)));
  const auto x = static_cast<int>(random.below(static_cast<uint64_t>(width)));
  const int top = std::max(y - half_height, 0);
  const int left = std::max(x - half_width, 0);
  return {left, top, std::min(x + half_width, width) - left,
          std::min(y + half_height, height) - top};
}

void blend(std::span<float> a, std::span<float> b, float lam) {
  for (size_t i = 0; i < a.size(); ++i) {
    const float own = a[i];
    a[i] = lam * own + (1 - lam) * b[i];
    b[i] = lam * b[i] + (1 - lam) * own;
  }
}

void swap_box(std::span<float> a, std::span<float> b, int64_t height, int64_t width,
              const Box& box) {
  for (int64_t plane = 0; plane < std::ssize(a); plane += height * width)
    for (int64_t y = box.y; y < box.y + box.height; ++y) {
      const auto row = static_cast<ptrdiff_t>(plane + y * width + box.x);
      std::swap_ranges(a.begin() + row, a.begin() + row + box.width, b.begin() + row);
    }
}

}  // namespace

void validate(const MixupConfig& config, int64_t batch) {
  constexpr double kMaxAlpha = 100;
  check_range("mixup", config.mixup, kMaxAlpha);
  check_range("cutmix", config.cutmix, kMaxAlpha);
  check_range("mixup_prob", config.mixup_prob, 1);
  check_range("mixup_switch_prob", config.mixup_switch_prob, 1);
  check_range("smoothing", config.smoothing, 1);
  check(!config.active() || batch % 2 == 0, "mixup and cutmix mix pairs of clips: the batch of ",
        batch, " must be even; an even --batch-size, or --mixup 0 --cutmix 0");
}

double draw_beta(double alpha, PhiloxStream& random) {
  const double a = log_gamma_draw(alpha, random);
  const double b = log_gamma_draw(alpha, random);
  return 1.0 / (1.0 + std::exp(b - a));
}

Mix draw_mix(const MixupConfig& config, int width, int height, PhiloxStream& random) {
  if (!config.active() || random.uniform() >= config.mixup_prob) return {};
  const bool both = config.mixup > 0 && config.cutmix > 0;
  const bool cut = both ? random.uniform() < config.mixup_switch_prob : config.cutmix > 0;
  const double lam = draw_beta(cut ? config.cutmix : config.mixup, random);
  if (!cut) return {lam};
  const Box box = draw_cut(lam, width, height, random);
  const double area = static_cast<double>(box.width) * box.height;
  return {1.0 - area / (static_cast<double>(width) * height), box};
}

void mix_video(Tensor& video, const Mix& mix) {
  const Shape& shape = video.shape();
  const int64_t batch = shape[0];
  internal_check(shape.rank() == 5 && batch % 2 == 0, "mixing a video of ", shape);
  const auto values = static_cast<size_t>(video.numel() / batch);
  const std::span<float> all = video.as<float>();
  for (int64_t i = 0; i < batch / 2; ++i) {
    const auto a = all.subspan(static_cast<size_t>(i) * values, values);
    const auto b = all.subspan(static_cast<size_t>(batch - 1 - i) * values, values);
    if (mix.box)
      swap_box(a, b, shape[3], shape[4], *mix.box);
    else if (mix.lam != 1)
      blend(a, b, static_cast<float>(mix.lam));
  }
}

Tensor soft_targets(std::span<const int32_t> labels, int64_t classes, double lam,
                    double smoothing) {
  const int64_t batch = std::ssize(labels);
  const double off = smoothing / static_cast<double>(classes);
  Tensor targets(DType::f32, {batch, classes});
  const std::span<float> values = targets.as<float>();
  for (int64_t i = 0; i < batch; ++i)
    for (int64_t c = 0; c < classes; ++c) {
      const double own = labels[static_cast<size_t>(i)] == c ? lam : 0;
      const double partner = labels[static_cast<size_t>(batch - 1 - i)] == c ? 1 - lam : 0;
      values[static_cast<size_t>(i * classes + c)] =
          static_cast<float>(off + (1 - smoothing) * (own + partner));
    }
  return targets;
}

}  // namespace grimace
