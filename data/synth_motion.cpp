// How synthetic faces move over time.
#include "data/synth_motion.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace grimace::synth {
namespace {

constexpr float kTwoPi = 2 * std::numbers::pi_v<float>;
constexpr float kFaceScale = 0.415f;  // one face unit, fraction of the picture

float smooth_step(float t) {
  t = std::clamp(t, 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

Wander make_wander(PhiloxStream& random, float middle, float spread, float size) {
  Wander w;
  w.middle = middle + spread * uniform(random, -1, 1);
  for (int i = 0; i < 2; ++i) {
    w.size[i] = size * uniform(random, 0.2, 1) / static_cast<float>(1 + i);
    w.speed[i] = uniform(random, 0.15, 0.6) * static_cast<float>(1 + 2 * i);  // per second
    w.phase[i] = uniform(random, 0, 1);
  }
  return w;
}

Light make_light(PhiloxStream& random) {
  Light light;
  const float angle = uniform(random, -1.25, 1.25);  // from the left .. from the right
  const float height = uniform(random, -0.7, -0.1);
  const float flat = std::sqrt(1 - height * height);
  light.x = flat * std::sin(angle);
  light.y = height;
  light.z = flat * std::cos(angle);
  light.ambient = uniform(random, 0.32, 0.68);
  light.exposure = uniform(random, 0.72, 1.18);
  light.contrast = uniform(random, 0.85, 1.15);
  const float warmth = uniform(random, -0.08, 0.08);
  light.tint = {1 + warmth, 1 + uniform(random, -0.02, 0.02), 1 - warmth};
  light.noise = uniform(random, 0.0, 0.02);
  return light;
}

// When the expression starts, how fast it comes, whether it fades before the end.
void set_timing(ClipScore& score, PhiloxStream& random) {
  const float frames = static_cast<float>(score.frames);
  score.onset = uniform(random, 0.0, 0.22) * frames;
  score.rise = uniform(random, 5, 16);
  const bool fades = random.uniform() < 0.5;
  score.offset = fades ? uniform(random, 0.68, 0.9) * frames : 2 * frames;
  score.fall = uniform(random, 6, 16);
  score.remainder = uniform(random, 0.1, 0.6);
}

void set_muscles(ClipScore& score, PhiloxStream& random) {
  const float strength = uniform(random, 0.72, 1.12);
  score.apex = apex_muscles(score.expression, static_cast<int>(random.below(2)));
  for (int m = 0; m < kMuscleCount; ++m) {
    score.rest[m] = 0.05f * static_cast<float>(random.normal());
    score.apex[m] = score.rest[m] + score.apex[m] * strength * uniform(random, 0.82, 1.18);
  }
  // A resting mouth is closed; its teeth and square opening play no part.
  score.rest[kMouthOpen] = score.rest[kTeeth] = score.rest[kMouthSquare] = 0;
  score.left_gain = uniform(random, 0.82, 1.12);
  score.right_gain = uniform(random, 0.82, 1.12);
}

// Laughter, trembling lips and sobs: a small fast change at the height of the expression.
void set_tremble(ClipScore& score, PhiloxStream& random) {
  switch (score.expression) {
    case Expression::happy:
      score.tremble = uniform(random, 0.0, 0.16);
      score.tremble_speed = uniform(random, 2.5, 4.5);
      break;
    case Expression::fear:
      score.tremble = uniform(random, 0.04, 0.12);
      score.tremble_speed = uniform(random, 4, 6);
      break;
    default:
      score.tremble = uniform(random, 0.0, 0.07);
      score.tremble_speed = uniform(random, 0.5, 2);
  }
}

void set_blinks(ClipScore& score, PhiloxStream& random) {
  float next = uniform(random, 4, 60);
  while (next < static_cast<float>(score.frames)) {
    score.blinks.push_back(next);
    next += uniform(random, 15, 75);
  }
}

}  // namespace

float Wander::at(float seconds) const {
  float value = middle;
  for (int i = 0; i < 2; ++i) value += size[i] * std::sin(kTwoPi * (speed[i] * seconds + phase[i]));
  return value;
}

ClipScore make_clip_score(Expression expression, PhiloxStream& random) {
  ClipScore score;
  score.expression = expression;
  score.frames = 48 + static_cast<int>(random.below(25));
  set_muscles(score, random);
  set_timing(score, random);
  set_tremble(score, random);
  const bool talks = random.uniform() < (expression == Expression::neutral ? 0.7 : 0.25);
  score.talk = talks ? uniform(random, 0.10, 0.30) : 0.0f;
  score.talk_speed = uniform(random, 2.2, 4.2);
  set_blinks(score, random);
  const float liveliness = uniform(random, 0.3, 1.2);
  score.roll = make_wander(random, 0, 0.14f, 0.05f * liveliness);
  score.yaw = make_wander(random, 0, 0.30f, 0.10f * liveliness);
  score.pitch = make_wander(random, 0, 0.10f, 0.06f * liveliness);
  score.x = make_wander(random, 0.5f, 0.045f, 0.018f * liveliness);
  score.y = make_wander(random, 0.50f, 0.035f, 0.018f * liveliness);
  score.scale = make_wander(random, kFaceScale, 0.035f, 0.006f * liveliness);
  score.gaze_x = make_wander(random, 0, 0.5f, 0.5f);
  score.gaze_y = make_wander(random, expression == Expression::sad ? 0.5f : 0.0f, 0.3f, 0.3f);
  score.light = make_light(random);
  return score;
}

void stage(ClipScore& score, const Staging& staging) {
  const float k = staging.variation;
  const auto calm = [k](float& value, float middle) { value = middle + k * (value - middle); };
  const auto calm_wander = [&](Wander& w, float middle) {
    calm(w.middle, middle);
    for (float& size : w.size) size *= k;
  };
  for (Wander* w : {&score.roll, &score.yaw, &score.pitch}) calm_wander(*w, 0);
  for (Wander* w : {&score.x, &score.y}) calm_wander(*w, 0.5f);
  calm_wander(score.scale, kFaceScale);
  score.scale.middle *= staging.zoom;
  const Light even;
  Light& light = score.light;
  calm(light.x, even.x);
  calm(light.y, even.y);
  light.z = std::sqrt(std::max(0.0f, 1 - light.x * light.x - light.y * light.y));
  calm(light.ambient, even.ambient);
  calm(light.exposure, even.exposure);
  calm(light.contrast, even.contrast);
  for (float* channel : {&light.tint.r, &light.tint.g, &light.tint.b}) calm(*channel, 1);
  light.noise *= k;
}

float intensity(const ClipScore& score, float frame) {
  const float risen = smooth_step((frame - score.onset) / score.rise);
  const float fallen = smooth_step((frame - score.offset) / score.fall);
  const float seconds = frame / kFramesPerSecond;
  const float shake = 1 + score.tremble * std::sin(kTwoPi * score.tremble_speed * seconds);
  return risen * (1 - fallen * (1 - score.remainder)) * shake;
}

FaceState face_at(const ClipScore& score, int frame) {
  const float f = static_cast<float>(frame);
  const float seconds = f / kFramesPerSecond;
  const float k = intensity(score, f);
  FaceState state;
  for (int m = 0; m < kMuscleCount; ++m)
    state.muscles[m] = score.rest[m] + (score.apex[m] - score.rest[m]) * k;
  const float phase = kTwoPi * score.talk_speed * seconds;
  const float syllable = std::sin(phase) + 0.6f * std::sin(0.61f * phase + 1);
  state.muscles[kMouthOpen] += score.talk * std::max(0.0f, syllable);
  state.muscles[kMouthWide] += score.talk * 0.8f * std::sin(0.37f * phase);
  for (const float blink : score.blinks)
    state.lids = std::min(state.lids, std::clamp(std::abs(f - blink) / 3.0f, 0.0f, 1.0f));
  // Gaze jumps from point to point: the wander is looked at every 0.6 s only.
  const float glance = std::floor(seconds / 0.6f) * 0.6f;
  state.gaze_x = score.gaze_x.at(glance);
  state.gaze_y = score.gaze_y.at(glance);
  state.left_gain = score.left_gain;
  state.right_gain = score.right_gain;
  state.pose = {score.roll.at(seconds), score.yaw.at(seconds), score.pitch.at(seconds),
                score.x.at(seconds),    score.y.at(seconds),   score.scale.at(seconds)};
  return state;
}

}  // namespace grimace::synth
