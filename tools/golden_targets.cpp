// Golden files of kind "targets": the construction of targets and the losses against them.
#include <cmath>

#include "tools/golden_checker.h"

namespace grimace {
namespace {

// "target.norm_diff4" -> normalised, differences in groups of 4.
TargetConfig target_from(const std::string& name, const std::string& where) {
  TargetConfig target;
  const bool raw = name.starts_with("target.raw");
  check(raw || name.starts_with("target.norm"), where, ": '", name,
        "' should be target.raw, target.norm or one of them with _diffG");
  target.normalise = !raw;
  const std::string rest = name.substr(std::string(raw ? "target.raw" : "target.norm").size());
  target.frame_diff = !rest.empty();
  if (const auto group = suffix_value(rest, "_diff")) target.group = static_cast<int64_t>(*group);
  return target;
}

// Whether a cube has no contrast in some channel: normalising it divides rounding noise by 1e-6.
bool is_flat(const Tensor& video, const ModelConfig& m, int64_t clip, int64_t token) {
  constexpr double kFlat = 1e-5;
  const int64_t width = m.grid()[2];
  const int64_t t = token / (m.grid()[1] * width);
  const int64_t y = token / width % m.grid()[1];
  const int64_t x = token % width;
  const auto v = video.as<float>();
  for (int64_t channel = 0; channel < 3; ++channel) {
    double low = INFINITY;
    double high = -INFINITY;
    for (int64_t f = t * m.tubelet; f < (t + 1) * m.tubelet; ++f)
      for (int64_t row = y * m.patch; row < (y + 1) * m.patch; ++row)
        for (int64_t col = x * m.patch; col < (x + 1) * m.patch; ++col) {
          const int64_t at =
              (((clip * 3 + channel) * m.frames + f) * m.image + row) * m.image + col;
          low = std::min(low, static_cast<double>(v[static_cast<size_t>(at)]));
          high = std::max(high, static_cast<double>(v[static_cast<size_t>(at)]));
        }
    if (high - low < kFlat) return true;
  }
  return false;
}

}  // namespace

void GoldenChecker::target_row(const std::string& name) {
  const TargetConfig target = target_from(name, file_.path().string());
  validate(target, config_.model);
  Graph graph;
  Builder b(graph);
  const Tensor video = take("input.video");
  const LayerContext c{b, config_.model};
  b.output("target", reconstruction_target(c, target, b.input("video", video.type())));
  auto executable = compile(graph, forward_passes());
  executable->write("video", video.view());
  executable->run();
  Tensor computed = executable->read("target").cast(DType::f64);
  Tensor expected = take(name).cast(DType::f64);
  check(expected.shape() == computed.shape(), file_.path().string(), ": '", name, "' is ",
        expected.shape(), "; the model has ", computed.shape());
  // Flat cubes, and cubes that are differences to one in an earlier time step, are compared apart.
  const int64_t frame_tokens = config_.model.grid()[1] * config_.model.grid()[2];
  const int64_t span =
      target.frame_diff ? std::max<int64_t>(target.group / config_.model.tubelet, 1) : 1;
  const auto values = static_cast<size_t>(config_.model.pixels_per_cube());
  double worst_flat = 0.0;
  bool any_flat = false;
  for (int64_t i = 0; target.normalise && i < config_.batch * config_.model.tokens(); ++i) {
    const int64_t clip = i / config_.model.tokens();
    const int64_t token = i % config_.model.tokens();
    const int64_t group_start = token / frame_tokens / span * span;
    if (!is_flat(video, config_.model, clip, token) &&
        !is_flat(video, config_.model, clip, group_start * frame_tokens + token % frame_tokens))
      continue;
    any_flat = true;
    for (size_t j = static_cast<size_t>(i) * values; j < static_cast<size_t>(i + 1) * values; ++j) {
      const double delta = std::abs(computed.as<double>()[j] - expected.as<double>()[j]);
      worst_flat = delta <= worst_flat ? worst_flat : delta;
      computed.as<double>()[j] = expected.as<double>()[j];
    }
  }
  report_.rows.push_back(compare(name, expected.view(), computed.view(), limits_.output));
  if (any_flat)
    report_.rows.push_back({name + " (flat cubes)", worst_flat, limits_.flat, "largest"});
}

void GoldenChecker::targets() {
  config_.batch = file_.type("input.video").shape[0];
  const ModelConfig& m = config_.model;
  const Shape wanted{config_.batch, 3, m.frames, m.image, m.image};
  check(file_.type("input.video") == TensorType{DType::f32, wanted}, file_.path().string(),
        ": 'input.video' must be ", TensorType{DType::f32, wanted});
  for (const std::string& name : names_with("target.")) target_row(name);
  for (const std::string& name : names_with("loss.")) {
    TargetConfig target;
    target.diff_weight = suffix_value(name, "loss.weighted_diff_");
    check(target.diff_weight || name == "loss.mse_norm_diff2", file_.path().string(), ": '", name,
          "' should be loss.mse_norm_diff2 or loss.weighted_diff_W");
    Graph graph;
    Builder b(graph);
    const Tensor video = take("input.video");
    const Tensor pred = take("input.pred");
    const Value labels =
        reconstruction_target({b, config_.model}, target, b.input("video", video.type()));
    b.output("loss", reconstruction_loss(b, target, b.input("pred", pred.type()), labels));
    auto executable = compile(graph, forward_passes());
    executable->write("video", video.view());
    executable->write("pred", pred.view());
    executable->run();
    add_row(name, executable->read("loss").reshaped({1}), limits_.loss);
  }
}

}  // namespace grimace
