// Reconstruction targets and losses against plain loops over pixels (spec 5.1 to 5.3).
#include "models/target.h"

#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

using ::testing::Each;

constexpr double kMean[3] = {0.485, 0.456, 0.406};
constexpr double kStd[3] = {0.229, 0.224, 0.225};

// 16 frames of 4x4 pixels; cubes of `tubelet` frames of 2x2.
ModelConfig small_clips(int64_t tubelet = 2) {
  ModelConfig c;
  c.encoder = Encoder::joint;
  c.image = 4;
  c.patch = 2;
  c.tubelet = tubelet;
  return c;
}

// Where a pixel of a clip lies in memory, [3,T,H,W].
struct Clip {
  const ModelConfig& c;
  Numbers v;
  double& at(int64_t channel, int64_t f, int64_t y, int64_t x) {
    return v[static_cast<size_t>(((channel * c.frames + f) * c.image + y) * c.image + x)];
  }
};

// Calls visit(channel, f, y, x, q) for the pixels of one channel of one cube, in order; q counts
// positions in the cube.
template <typename Visit>
void for_cube(const ModelConfig& c, int64_t token, int64_t channel, const Visit& visit) {
  const int64_t side = c.image / c.patch;
  const int64_t t = token / (side * side), h = token / side % side, w = token % side;
  int64_t q = 0;
  for (int64_t dt = 0; dt < c.tubelet; ++dt)
    for (int64_t dy = 0; dy < c.patch; ++dy)
      for (int64_t dx = 0; dx < c.patch; ++dx)
        visit(channel, t * c.tubelet + dt, h * c.patch + dy, w * c.patch + dx, q++);
}

void normalise_cube(Clip& clip, int64_t token, int64_t channel) {
  const ModelConfig& c = clip.c;
  const auto n = static_cast<double>(c.tubelet * c.patch * c.patch);
  double mean = 0.0;
  double variance = 0.0;
  for_cube(c, token, channel,
           [&](auto ch, auto f, auto y, auto x, auto) { mean += clip.at(ch, f, y, x) / n; });
  for_cube(c, token, channel, [&](auto ch, auto f, auto y, auto x, auto) {
    variance += std::pow(clip.at(ch, f, y, x) - mean, 2) / (n - 1);
  });
  for_cube(c, token, channel, [&](auto ch, auto f, auto y, auto x, auto) {
    double& v = clip.at(ch, f, y, x);
    v = (v - mean) / (std::sqrt(variance) + 1e-6);
  });
}

void subtract_first_frames(Clip& clip, int64_t group) {
  const ModelConfig& c = clip.c;
  for (int64_t channel = 0; channel < 3; ++channel)
    for (int64_t f = c.frames - 1; f >= 0; --f)
      for (int64_t i = 0; f % group != 0 && i < c.image * c.image; ++i)
        clip.at(channel, f, i / c.image, i % c.image) -=
            clip.at(channel, f / group * group, i / c.image, i % c.image);
}

Numbers target_by_loops(const ModelConfig& c, const TargetConfig& target, Numbers video) {
  Clip clip{c, std::move(video)};
  const auto plane = static_cast<size_t>(c.frames * c.image * c.image);
  for (size_t i = 0; i < clip.v.size(); ++i)
    clip.v[i] = clip.v[i] * kStd[i / plane] + kMean[i / plane];
  for (int64_t token = 0; target.normalise && token < c.tokens(); ++token)
    for (int64_t channel = 0; channel < 3; ++channel) normalise_cube(clip, token, channel);
  if (target.frame_diff) subtract_first_frames(clip, target.group);
  Numbers result(clip.v.size());
  for (int64_t token = 0; token < c.tokens(); ++token)
    for (int64_t channel = 0; channel < 3; ++channel)
      for_cube(c, token, channel, [&](auto ch, auto f, auto y, auto x, auto q) {
        result[static_cast<size_t>(token * c.pixels_per_cube() + q * 3 + ch)] =
            clip.at(ch, f, y, x);
      });
  return result;
}

Numbers target_of(const ModelConfig& c, const TargetConfig& target, const Numbers& video) {
  Trial trial;
  validate(target, c);
  const int64_t clips = static_cast<int64_t>(video.size()) / (3 * c.frames * c.image * c.image);
  const Value input = trial.b.input("video", {DType::f32, {clips, 3, c.frames, c.image, c.image}});
  trial.b.output("target", reconstruction_target({trial.b, c}, target, input));
  trial.set("video", video);
  return trial.run().at("target");
}

void expect_as_by_loops(const ModelConfig& c, const TargetConfig& target) {
  const int64_t values = 3 * c.frames * c.image * c.image;
  const Numbers video = drawn("video", 2 * values);
  Numbers expected;
  for (int64_t clip = 0; clip < 2; ++clip) {
    const Numbers one = target_by_loops(c, target, rows(video, clip, clip + 1, values));
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_THAT(target_of(c, target, video), near_all(expected, 1e-9))
      << "tubelet " << c.tubelet << ", group " << target.group;
}

TEST(Target, is_the_pixels_or_the_normalised_pixels) {
  expect_as_by_loops(small_clips(), {.normalise = false, .frame_diff = false});
  expect_as_by_loops(small_clips(), {.normalise = true, .frame_diff = false});
}

TEST(Target, is_the_difference_to_the_first_frame_of_groups_of_any_size) {
  for (const int64_t group : {1, 2, 4, 8, 16})
    for (const bool normalise : {false, true})
      expect_as_by_loops(small_clips(), {.normalise = normalise, .group = group});
}

TEST(Target, takes_groups_smaller_and_larger_than_a_cube) {
  for (const int64_t tubelet : {1, 4})
    for (const int64_t group : {1, 2, 4, 8})
      expect_as_by_loops(small_clips(tubelet), {.group = group});
}

TEST(Target, adds_epsilon_to_the_deviation_of_a_faint_cube) {
  const ModelConfig c = small_clips();
  Numbers video = drawn("video", 3 * c.frames * c.image * c.image);
  for (double& v : video) v = 0.3 + 1e-5 * v;
  const TargetConfig target{.frame_diff = false};
  EXPECT_THAT(target_of(c, target, video), near_all(target_by_loops(c, target, video), 1e-5));
}

TEST(Target, is_exactly_zero_for_cubes_without_contrast) {
  const ModelConfig c = small_clips();
  const Numbers flat(static_cast<size_t>(3 * c.frames * c.image * c.image), 0.7);
  for (const bool frame_diff : {false, true})
    EXPECT_THAT(target_of(c, {.frame_diff = frame_diff}, flat), Each(0.0));
}

TEST(Target, of_a_pair_of_frames_gives_both_frames_back) {
  const ModelConfig c = small_clips();
  const Numbers video = drawn("video", 3 * c.frames * c.image * c.image);
  const Numbers z = target_of(c, {.frame_diff = false}, video);
  Numbers recovered = target_of(c, {}, video);
  const auto cube = static_cast<size_t>(c.pixels_per_cube());
  for (size_t i = 0; i < recovered.size(); ++i)
    if (i % cube >= cube / 2) recovered[i] += recovered[i - cube / 2];
  EXPECT_THAT(recovered, near_all(z));
}

double loss_of(const TargetConfig& config, const Numbers& pred, const Numbers& target,
               const Shape& shape) {
  Trial trial;
  const Value p = trial.b.input("pred", {DType::f32, shape});
  const Value y = trial.b.input("target", {DType::f32, shape});
  trial.b.output("loss", reconstruction_loss(trial.b, config, p, y));
  trial.set("pred", pred);
  trial.set("target", target);
  return trial.run().at("loss").at(0);
}

TEST(Loss, of_a_zero_prediction_of_a_static_clip_is_511_of_512_and_nothing) {
  ModelConfig c;
  c.encoder = Encoder::joint;
  c.image = 16;
  c.frames = 2;
  Numbers video = drawn("video", 3 * 2 * 256);
  for (size_t i = 0; i < video.size(); ++i)
    if (i / 256 % 2 == 1) video[i] = video[i - 256];
  const Numbers target = target_of(c, {}, video);
  const Numbers zero(target.size(), 0.0);
  EXPECT_NEAR(loss_of({.diff_weight = 0.0}, zero, target, {1, 1, 1536}), 511.0 / 512.0, 2e-5);
  EXPECT_EQ(loss_of({.diff_weight = 1.0}, zero, target, {1, 1, 1536}), 0.0);
  EXPECT_NEAR(loss_of({}, zero, target, {1, 1, 1536}), 511.0 / 1024.0, 1e-5);
}

TEST(Loss, is_the_mean_square_of_everything_or_of_weighted_halves) {
  const Shape shape{2, 3, 8};
  const Numbers pred = drawn("pred", 48);
  const Numbers target = drawn("target", 48);
  double kept = 0.0;
  double changed = 0.0;
  for (size_t i = 0; i < 48; ++i)
    (i % 8 < 4 ? kept : changed) += std::pow(pred[i] - target[i], 2) / 24.0;
  EXPECT_GT(std::abs(kept - changed), 0.01);
  EXPECT_NEAR(loss_of({}, pred, target, shape), (kept + changed) / 2, 1e-12);
  EXPECT_NEAR(loss_of({.diff_weight = 0.3}, pred, target, shape), 0.7 * kept + 0.3 * changed,
              1e-12);
  EXPECT_NEAR(loss_of({.diff_weight = 0.5}, pred, target, shape), (kept + changed) / 2, 1e-12);
}

std::string refusal(const TargetConfig& target, const ModelConfig& model = {}) {
  return error_of([&] { validate(target, model); });
}

TEST(Target, refuses_groups_that_do_not_divide_the_clip) {
  for (const int64_t group : {3, 0, -2, 32})
    EXPECT_EQ(refusal({.group = group}),
              cat("target: groups of ", group, " frames do not divide a clip of 16 frames"));
  EXPECT_EQ(refusal({.frame_diff = false, .group = 3}), "no error");
}

TEST(Target, refuses_difference_weights_without_halves_to_weigh) {
  for (const double wrong : {-0.1, 1.5, std::nan("")})
    EXPECT_EQ(refusal({.diff_weight = wrong}),
              cat("target: the difference weight must lie in [0,1]; got ", wrong));
  const std::string expected =
      "target: a difference weight needs frame differences in groups of 2 frames";
  EXPECT_EQ(refusal({.frame_diff = false, .diff_weight = 0.5}), expected);
  EXPECT_EQ(refusal({.group = 4, .diff_weight = 0.5}), expected);
  EXPECT_EQ(refusal({.diff_weight = 0.5}, small_clips(4)), expected);
}

TEST(Target, refuses_to_normalise_cubes_of_one_pixel) {
  ModelConfig c = small_clips(1);
  c.patch = 1;
  EXPECT_EQ(refusal({}, c), "target: a cube of one pixel cannot be normalised");
  EXPECT_EQ(refusal({.normalise = false}, c), "no error");
}

}  // namespace
}  // namespace grimace::testing
