// The moving parts of a synthetic face: nose, mouth, eyes, brows, folds and wrinkles.
#include "data/synth_render.h"

namespace grimace::synth {
namespace {

constexpr Colour kDark{0.09f, 0.05f, 0.05f};
constexpr Colour kTeethColour{0.93f, 0.90f, 0.85f};
constexpr Colour kSclera{0.94f, 0.93f, 0.92f};

}  // namespace

void FacePainter::paint_features() const {
  paint_relief_and_folds();
  paint_nose();
  paint_mouth();
  for (const float side : {-1.0f, 1.0f}) {
    paint_eye(side);
    paint_brow(side);
  }
  if (person.glasses) paint_glasses();
}

// Cheeks, eye sockets, chin, and the lines an expression draws into the skin.
void FacePainter::paint_relief_and_folds() const {
  const Person& p = person;
  const Colour line = p.skin * 0.55f;
  const float cheek = muscle(kCheekUp);
  const float fold = std::max(0.0f, std::max(muscle(kCornerUp) * 0.9f, muscle(kNoseWrinkle)));
  for (const float side : {-1.0f, 1.0f}) {
    paint_relief(canvas, on_face(side * p.eye_x, p.eye_y - 0.05f), 0.26f, 0.17f, -0.16f);
    paint_relief(canvas, on_face(side * (p.eye_x + 0.08f), p.eye_y + 0.30f - 0.05f * cheek), 0.24f,
                 0.16f, 0.07f + 0.16f * cheek);
    paint_relief(canvas, on_face(side * p.eye_x, p.eye_y + 0.115f), 0.15f, 0.04f,
                 -0.06f - 0.12f * cheek);
    const float corner_x = p.mouth_width + 0.05f * muscle(kMouthWide) + 0.06f;
    paint_stroke(canvas,
                 on_face(side * (0.5f * (corner_x + p.nose_width) + 0.03f), p.nose_y + 0.13f, 0,
                         side, 1.05f),
                 {0.17f, 0.012f, 0.0f, -0.05f}, line, 0.12f + 0.55f * fold);
  }
  paint_relief(canvas, on_face(0, chin - 0.17f), 0.16f, 0.10f, 0.08f);
  paint_relief(canvas, on_face(0, p.mouth_y + 0.17f + (chin - p.chin)), 0.17f, 0.05f, -0.14f);
  const float furrow = std::max(0.0f, muscle(kBrowTogether));
  for (const float side : {-1.0f, 1.0f})
    paint_stroke(canvas, on_face(side * 0.045f, p.brow_y + 0.03f, 0, side, 1.45f),
                 {0.085f, 0.010f, 0, 0.01f}, line, 0.7f * furrow);
  const float raise = std::max(0.0f, 0.5f * (muscle(kBrowInner) + muscle(kBrowOuter)));
  for (int i = 0; i < 3; ++i)
    paint_stroke(canvas, on_face(0, p.brow_y - 0.17f - 0.075f * static_cast<float>(i)),
                 {0.30f, 0.008f, 0, 0.02f}, line, 0.5f * raise);
}

void FacePainter::paint_nose() const {
  const Person& p = person;
  const float wrinkle = muscle(kNoseWrinkle);
  const float tip_y = p.nose_y - 0.05f * wrinkle;
  const float w = p.nose_width * (1 + 0.18f * wrinkle + 0.08f * std::max(0.0f, muscle(kCornerUp)));
  const float length = tip_y - p.eye_y + 0.06f;
  // Bridge: bright towards the light, dark away from it; a wedge that widens downwards.
  const Placement bridge = on_face(0, tip_y, 0.10f);
  paint(canvas, bridge, {-w, -length, w, 0.05f}, [&](Pixel& pixel, float u, float v) {
    const float down = clamp01(1 + v / length);
    const float t = u / (w * (0.45f + 0.5f * down));
    const float side = t * std::max(0.0f, 1 - t * t);
    const float ridge = blob(t * 2.2f, 0);
    pixel.shade *= 1 + down * (0.75f * light.x * side - 0.22f * std::abs(side) + 0.08f * ridge);
  });
  paint_relief(canvas, on_face(0, tip_y - 0.03f, 0.16f), 0.07f, 0.06f, 0.16f);
  paint_relief(canvas, on_face(0, tip_y + 0.07f, 0.04f), w * 1.2f, 0.06f, -0.24f);
  for (const float side : {-1.0f, 1.0f}) {
    const Placement nostril = on_face(side * w * 0.45f, tip_y + 0.035f, 0.10f, side, 0.25f);
    paint(canvas, nostril, {-0.05f, -0.03f, 0.05f, 0.03f}, [&](Pixel& pixel, float u, float v) {
      blend(pixel.colour, p.skin * 0.25f, 0.9f * clamp01(2 * blob(u / 0.05f, v / 0.03f)));
    });
    paint_stroke(canvas, on_face(side * w * 0.92f, tip_y + 0.005f, 0.07f, side, 1.25f),
                 {0.055f, 0.010f, 0, -0.03f}, p.skin * 0.55f, 0.6f);
    for (int i = 0; i < 2; ++i)
      paint_stroke(canvas,
                   on_face(side * 0.05f, p.eye_y + 0.05f + 0.06f * static_cast<float>(i), 0.05f,
                           side, -0.6f),
                   {0.06f, 0.009f, 0, 0.012f}, p.skin * 0.5f, 0.75f * wrinkle);
  }
}

// Four curves over t in -1..1 from corner to corner: outer and inner edge of both lips.
void FacePainter::paint_mouth() const {
  const Person& p = person;
  const float open = std::max(0.0f, muscle(kMouthOpen));
  const float up = muscle(kUpperLip);
  const float half = p.mouth_width * (1 + 0.28f * muscle(kMouthWide));
  const float thin = 1 - 0.62f * std::max(0.0f, muscle(kLipPress));
  const float lip = p.lip_fullness * thin * (1 - 0.18f * std::max(0.0f, muscle(kMouthWide)));
  const float corner_left = 0.125f * muscle(kCornerUp) * state.left_gain;
  const float corner_right = 0.125f * muscle(kCornerUp) * state.right_gain;
  const float gap_up = 0.055f * open + 0.055f * up;
  const float gap_down = 0.22f * open + 0.010f;
  const float square = clamp01(muscle(kMouthSquare));
  const float teeth_up = 0.055f * muscle(kTeeth) + 0.03f * up;
  const float teeth_down = 0.05f * square * muscle(kTeeth);
  const Placement at = on_face(0, p.mouth_y - 0.02f * up, 0.03f);
  const float ppu = at.pixels_per_unit();
  const Colour inside = kDark * 1.2f;
  paint(canvas, at, {-half, -0.30f, half, 0.48f}, [&](Pixel& pixel, float u, float v) {
    const float t = u / half;
    const float t2 = t * t;
    const float round = (1 - t2) * (1 - square) + (1 - t2 * t2 * t2) * square;
    const float centre = (t < 0 ? corner_left : corner_right) * (0.35f - t2);
    const float inner_up = centre - gap_up * round - 0.004f;
    const float inner_down = centre + gap_down * round + 0.004f - 0.02f * up * round;
    const float bow = 1 - 0.35f * blob(t * 4.5f, 0);
    const float outer_up = inner_up - lip * (1 - t2) * bow;
    const float outer_down = inner_down + 1.25f * lip * (1 - t2 * t2);
    const float lips = coverage(std::min(v - outer_up, outer_down - v), ppu);
    if (lips <= 0) return;
    const float hole = coverage(std::min(v - inner_up, inner_down - v), ppu);
    const float below = clamp01((v - inner_down) / (1.25f * lip));
    const float tone = v < centre ? 0.86f : 0.98f + 0.5f * light.z * below * (1 - below) * (1 - t2);
    blend(pixel.colour, p.lips * tone, lips * 0.92f);
    Colour content = inside;
    blend(content, {0.62f, 0.28f, 0.27f},
          0.8f * blob(t * 1.5f, (v - inner_down) / (0.6f * gap_down)));
    const float gaps = 0.9f + 0.1f * std::abs(std::sin(u * 46.0f));
    const float teeth = std::max(coverage(inner_up + teeth_up * round - v, ppu),
                                 coverage(v - inner_down + teeth_down * round, ppu));
    const float deep = 0.55f + 0.45f * (1 - t2);
    blend(content, kTeethColour * (gaps * deep), teeth * clamp01((gap_up + gap_down - 0.03f) * 20));
    blend(pixel.colour, content, hole);
  });
  if (p.moustache > 0)
    for (const float side : {-1.0f, 1.0f})
      paint_stroke(canvas,
                   on_face(side * 0.12f, p.mouth_y - 0.085f - 0.06f * up, 0.04f, side, 0.25f),
                   {0.16f, 0.045f, 0, 0.03f}, p.hair * 0.85f, 0.9f * p.moustache);
}

// A lens between two lids with iris, pupil and glint; lines for the lids. u points outwards.
void FacePainter::paint_eye(float side) const {
  const Person& p = person;
  const float w = p.eye_width;
  const float wide = 1 + 0.50f * muscle(kEyeOpen);
  const float low = 0.62f - 0.42f * muscle(kLowerLid) * state.lids;
  const float lower = p.eye_height * low;
  const float upper = p.eye_height * ((1.25f * wide - 0.23f + low) * state.lids - low);
  const Placement at = on_face(side * p.eye_x, p.eye_y, 0, side, -p.eye_tilt);
  const float ppu = at.pixels_per_unit();
  const float iris = p.eye_height * 1.18f;
  const float look_u = 0.045f * state.gaze_x * side;
  const float look_v = 0.022f * state.gaze_y - 0.006f;
  paint(canvas, at, {-w, -0.16f, w, 0.1f}, [&](Pixel& pixel, float u, float v) {
    const float t = u / w;
    const float arch = 1 - t * t;
    const float top = -upper * arch * (1 - 0.25f * t);
    const float bottom = lower * arch;
    const float eye = coverage(std::min(v - top, bottom - v), ppu);
    const float lid = coverage(0.010f + 0.010f * p.lashes - std::abs(v - top), ppu);
    if (eye > 0) {
      Colour c = kSclera * (0.72f + 0.25f * clamp01((v - top) * 14) - 0.12f * t * t);
      const float du = u - look_u, dv = v - look_v;
      const float r = std::sqrt(du * du + dv * dv);
      blend(c, p.iris * (0.75f + 0.6f * clamp01(dv * 10 + 0.3f)), coverage(iris - r, ppu));
      blend(c, kDark * 0.5f, coverage(iris * 0.45f - r, ppu));
      const float gu = du * side - 0.3f * iris * (light.x > 0 ? 1 : -1), gv = dv + 0.35f * iris;
      blend(c, {1, 1, 1}, 0.9f * coverage(iris * 0.22f - std::sqrt(gu * gu + gv * gv), ppu));
      blend(pixel.colour, c, eye);
      pixel.shade += (std::max(pixel.shade, 0.75f) - pixel.shade) * eye;
    }
    blend(pixel.colour, kDark, (0.65f + 0.3f * p.lashes) * lid * clamp01(arch * 6));
    const float rim = coverage(0.006f - std::abs(v - bottom), ppu);
    blend(pixel.colour, p.skin * 0.5f, 0.5f * rim * clamp01(arch * 4));
  });
  const float crease = -p.eye_height * 1.25f * (0.45f + 0.55f * wide) - 0.030f;
  paint_stroke(canvas, on_face(side * p.eye_x, p.eye_y + crease + 0.02f, 0, side, -p.eye_tilt),
               {w * 1.02f, 0.009f, 0, 0.045f}, p.skin * 0.5f, 0.55f);
  paint_stroke(canvas, on_face(side * p.eye_x, p.eye_y + lower + 0.025f, 0, side, 0),
               {w * 0.8f, 0.008f, 0, -0.03f}, p.skin * 0.55f,
               0.15f + 0.5f * std::max(0.0f, muscle(kLowerLid)));
}

void FacePainter::paint_brow(float side) const {
  const Person& p = person;
  const float gain = side < 0 ? state.left_gain : state.right_gain;
  const float inner = 0.085f * muscle(kBrowInner) * gain;
  const float outer = 0.085f * muscle(kBrowOuter) * gain;
  const float together = 0.035f * muscle(kBrowTogether);
  // The stroke's inner end is t = -1: its slope is half the difference of the ends.
  const float slope = 0.5f * (inner - outer) - p.brow_tilt * 0.25f;
  const Placement at =
      on_face(side * (p.eye_x + 0.01f - together), p.brow_y - 0.5f * (inner + outer), 0.02f, side);
  paint_stroke(canvas, at, {0.185f, p.brow_thickness, slope, p.brow_arch + 0.02f}, p.hair * 0.75f,
               0.88f);
}

void FacePainter::paint_glasses() const {
  const float radius = 0.215f;
  const float ppu = head.pixels_per_unit();
  for (const float side : {-1.0f, 1.0f})
    paint(canvas, on_face(side * person.eye_x, person.eye_y + 0.02f, 0.06f, side),
          {-0.25f, -0.25f, 0.25f, 0.25f}, [&](Pixel& pixel, float u, float v) {
            const float du = u * u, dv = v * v * 1.35f;
            const float r = std::sqrt(std::sqrt(du * du + dv * dv + 1.2f * du * dv));
            blend(pixel.colour, kDark, 0.9f * coverage(0.014f - std::abs(r - radius), ppu));
            pixel.shade *= 1 + 0.05f * coverage(radius - r, ppu);
          });
  paint_stroke(canvas, on_face(0, person.eye_y, 0.10f),
               {person.eye_x - radius + 0.05f, 0.016f, 0, 0.03f}, kDark, 0.9f);
}

}  // namespace grimace::synth
