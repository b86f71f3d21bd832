// Drawing people by chance, and the table of expressions.
#include "data/synth_face.h"

#include <algorithm>

#include "ir/error.h"

namespace grimace::synth {
namespace {

// People do not depend on a run's seed.
constexpr uint64_t kPeopleSeed = 2024;

Colour mix(Colour a, Colour b, float t) {
  return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

Colour shade(Colour c, float k) {
  return {c.r * k, c.g * k, c.b * k};
}

template <size_t N>
Colour pick(PhiloxStream& random, const std::array<Colour, N>& from) {
  return from[random.below(N)];
}

// Between neighbours of a ramp from light to dark.
template <size_t N>
Colour along(PhiloxStream& random, const std::array<Colour, N>& ramp) {
  const size_t i = random.below(N - 1);
  return mix(ramp[i], ramp[i + 1], uniform(random, 0, 1));
}

constexpr std::array<Colour, 5> kSkin{{{0.96f, 0.82f, 0.74f},
                                       {0.90f, 0.72f, 0.60f},
                                       {0.80f, 0.60f, 0.46f},
                                       {0.62f, 0.43f, 0.32f},
                                       {0.42f, 0.28f, 0.21f}}};
constexpr std::array<Colour, 7> kHair{{{0.10f, 0.08f, 0.07f},
                                       {0.16f, 0.11f, 0.08f},
                                       {0.30f, 0.19f, 0.12f},
                                       {0.45f, 0.30f, 0.17f},
                                       {0.74f, 0.58f, 0.36f},
                                       {0.55f, 0.26f, 0.13f},
                                       {0.62f, 0.61f, 0.60f}}};
constexpr std::array<Colour, 5> kIris{{{0.28f, 0.17f, 0.09f},
                                       {0.20f, 0.12f, 0.07f},
                                       {0.32f, 0.47f, 0.62f},
                                       {0.35f, 0.45f, 0.28f},
                                       {0.42f, 0.43f, 0.45f}}};

std::array<float, 256> smooth_noise(PhiloxStream& random) {
  std::array<float, 256> noise{};
  for (const int step : {16, 4, 1}) {
    std::array<float, 257> knots{};
    const int count = 256 / step;
    for (int i = 0; i < count; ++i) knots[i] = uniform(random, -1, 1);
    knots[count] = knots[0];
    for (int i = 0; i < 256; ++i) {
      const float t = static_cast<float>(i % step) / static_cast<float>(step);
      noise[i] += (knots[i / step] * (1 - t) + knots[i / step + 1] * t) / 3.0f;
    }
  }
  return noise;
}

}  // namespace

Person make_person(int index) {
  check(index >= 0, "synthetic person: the number must not be negative; got ", index);
  PhiloxStream random(kPeopleSeed, stream_id("person") + static_cast<uint64_t>(index));
  Person p;
  p.skin = along(random, kSkin);
  p.hair = shade(pick(random, kHair), uniform(random, 0.8, 1.2));
  p.iris = pick(random, kIris);
  p.lips = mix(p.skin, {0.68f, 0.22f, 0.24f}, uniform(random, 0.35, 0.7));
  p.clothes = {uniform(random, 0.1, 0.8), uniform(random, 0.1, 0.8), uniform(random, 0.1, 0.8)};
  p.width = uniform(random, 0.67, 0.80);
  p.jaw = uniform(random, 0.45, 0.95);
  p.chin = uniform(random, 0.93, 1.07);
  p.crown = uniform(random, 1.00, 1.14);
  p.eye_x = p.width * uniform(random, 0.39, 0.44);
  p.eye_y = uniform(random, -0.13, -0.05);
  p.eye_width = uniform(random, 0.140, 0.170);
  p.eye_height = uniform(random, 0.054, 0.074);
  p.eye_tilt = uniform(random, -0.02, 0.14);
  p.brow_y = p.eye_y - uniform(random, 0.17, 0.22);
  p.brow_thickness = uniform(random, 0.018, 0.042);
  p.brow_arch = uniform(random, 0.01, 0.06);
  p.brow_tilt = uniform(random, -0.05, 0.12);
  p.nose_y = uniform(random, 0.26, 0.35);
  p.nose_width = uniform(random, 0.10, 0.16);
  p.mouth_y = p.nose_y + uniform(random, 0.24, 0.30);
  p.mouth_width = uniform(random, 0.20, 0.27);
  p.lip_fullness = uniform(random, 0.032, 0.062);
  p.hair_style = static_cast<HairStyle>(random.below(kHairStyles));
  p.hairline = uniform(random, -0.82, -0.64);
  p.hair_volume = uniform(random, 0.05, 0.15);
  p.hair_side = uniform(random, -0.30, 0.12);
  p.hair_part = uniform(random, -0.35, 0.35);
  const bool long_hair =
      p.hair_style == HairStyle::long_straight || p.hair_style == HairStyle::long_wavy;
  if (!long_hair && random.uniform() < 0.4) {
    p.beard = uniform(random, 0.15, 0.85);
    p.moustache = uniform(random, 0.0, 0.9);
  }
  p.lashes = long_hair ? uniform(random, 0.5, 1.0) : uniform(random, 0.0, 0.5);
  p.glasses = random.uniform() < 0.18;
  for (Mark& mark : p.marks)
    mark = {uniform(random, -0.5, 0.5), uniform(random, 0.02, 0.6), uniform(random, 0.006, 0.018)};
  p.strands = smooth_noise(random);
  return p;
}

Muscles apex_muscles(Expression expression, int variant) {
  const bool open = variant == 1;
  Muscles m{};
  const auto set = [&m](std::initializer_list<std::pair<Muscle, float>> values) {
    for (const auto& [muscle, value] : values) m[muscle] = value;
  };
  switch (expression) {
    case Expression::happy:
      set({{kCornerUp, 1.0f}, {kMouthWide, 0.8f}, {kCheekUp, 1.0f}, {kLowerLid, 0.65f}});
      set({{kMouthOpen, open ? 0.42f : 0.0f}, {kTeeth, 1.0f}, {kBrowOuter, 0.15f}});
      break;
    case Expression::sad:
      set({{kBrowInner, 1.0f}, {kBrowOuter, -0.6f}, {kBrowTogether, 0.5f}, {kEyeOpen, -0.4f}});
      set({{kCornerUp, -0.95f}, {kMouthWide, -0.1f}, {kLipPress, open ? 0.5f : 0.0f}});
      break;
    case Expression::neutral:
      break;
    case Expression::angry:
      set({{kBrowInner, -1.0f}, {kBrowOuter, 0.15f}, {kBrowTogether, 1.0f}, {kLowerLid, 0.55f}});
      set({{kEyeOpen, -0.1f}, {kCornerUp, -0.35f}, {kLipPress, open ? 0.3f : 0.9f}});
      if (open) set({{kMouthOpen, 0.45f}, {kMouthSquare, 1.0f}, {kTeeth, 1.0f}, {kUpperLip, 0.3f}});
      break;
    case Expression::surprise:
      set({{kBrowInner, 1.0f}, {kBrowOuter, 1.0f}, {kEyeOpen, 1.0f}, {kMouthWide, -0.45f}});
      set({{kMouthOpen, open ? 1.0f : 0.65f}, {kTeeth, 0.2f}});
      break;
    case Expression::disgust:
      set({{kBrowInner, -0.6f}, {kBrowOuter, -0.3f}, {kBrowTogether, 0.4f}, {kEyeOpen, -0.45f}});
      set({{kLowerLid, 0.6f}, {kNoseWrinkle, 1.0f}, {kUpperLip, 1.0f}, {kCornerUp, -0.45f}});
      set({{kCheekUp, 0.55f}, {kMouthOpen, open ? 0.25f : 0.05f}, {kTeeth, open ? 0.9f : 0.4f}});
      break;
    case Expression::fear:
      set({{kBrowInner, 0.95f}, {kBrowOuter, 0.3f}, {kBrowTogether, 0.8f}, {kEyeOpen, 0.85f}});
      set({{kMouthWide, 0.8f}, {kMouthOpen, open ? 0.5f : 0.28f}, {kMouthSquare, 0.7f}});
      set({{kCornerUp, -0.45f}, {kTeeth, 0.6f}, {kLowerLid, 0.25f}});
      break;
  }
  return m;
}

}  // namespace grimace::synth
