// The large parts of a synthetic picture: background, body, head, hair, and the finish that turns
// float colours and shade into bytes with tone and camera noise.
#include "data/synth_render.h"

namespace grimace::synth {
namespace {

constexpr float kDepth = 0.62f;  // how far the face stands out towards the viewer

// Smooth noise of a person, at any coordinate.
float strand(const Person& person, float q) {
  return person.strands[static_cast<unsigned>(static_cast<int>(q * 64.0f)) & 255u];
}

// About sin(2 pi t), from parabolas.
float wave(float t) {
  const float f = 2 * (t - std::floor(t)) - 1;
  return 4 * f * (std::abs(f) - 1);
}

uint8_t to_byte(float v) {
  return static_cast<uint8_t>(clamp01(v) * 255.0f + 0.5f);
}

// Tone, tint and noise. The noise is triangular, from a small linear congruential generator:
// grain needs speed, not quality.
Image finish(const Canvas& canvas, const Light& light, uint64_t grain) {
  Image image{canvas.size, canvas.size, std::vector<uint8_t>(canvas.pixels.size() * 3)};
  uint32_t state = static_cast<uint32_t>(grain ^ (grain >> 32)) | 1u;
  const float noise = light.noise * 2.45f / 256.0f;  // a triangle of width 2 has deviation 0.41
  const Colour gain = light.tint * light.exposure;
  const float contrast = light.contrast;
  const auto tone = [=](float v) { return (v - 0.45f) * contrast + 0.45f; };
  uint8_t* out = image.rgb.data();
  for (const Pixel& p : canvas.pixels) {
    state = state * 1664525u + 1013904223u;
    const float n = noise * static_cast<float>(static_cast<int>(state >> 24) -
                                               static_cast<int>((state >> 16) & 255u));
    *out++ = to_byte(tone(p.colour.r * p.shade * gain.r) + n);
    *out++ = to_byte(tone(p.colour.g * p.shade * gain.g) + n);
    *out++ = to_byte(tone(p.colour.b * p.shade * gain.b) + n);
  }
  return image;
}

}  // namespace

Canvas make_backdrop(int size, PhiloxStream& random) {
  Canvas canvas{size, std::vector<Pixel>(static_cast<size_t>(size) * size)};
  const auto colour = [&] {
    const float base = uniform(random, 0.12, 0.8);
    return Colour{base + uniform(random, -0.12, 0.12), base + uniform(random, -0.12, 0.12),
                  base + uniform(random, -0.12, 0.12)};
  };
  const Colour top = colour();
  const Colour bottom = colour();
  const Placement whole{0, 0, static_cast<float>(size), 0, 0, static_cast<float>(size)};
  paint(canvas, whole, {0, 0, 1, 1}, [&](Pixel& pixel, float, float v) {
    pixel.colour = top;
    blend(pixel.colour, bottom, v);
  });
  const uint64_t shapes = 3 + random.below(6);
  for (uint64_t i = 0; i < shapes; ++i) {
    const Placement at =
        whole.at(uniform(random, 0, 1), uniform(random, 0, 1), 1, 1, uniform(random, -1.5, 1.5));
    const float w = uniform(random, 0.06, 0.35), h = uniform(random, 0.06, 0.35);
    const float soft = uniform(random, 0.01, 0.12), opacity = uniform(random, 0.3, 0.9);
    const Colour shape_colour = colour();
    const bool round = random.coin();
    paint(canvas, at, {-w - soft, -h - soft, w + soft, h + soft},
          [&](Pixel& pixel, float u, float v) {
            const float du = std::abs(u) / w, dv = std::abs(v) / h;
            const float out = round ? std::sqrt(du * du + dv * dv) : std::max(du, dv);
            const float inside = (1 - out) * std::min(w, h);
            blend(pixel.colour, shape_colour, opacity * clamp01(inside / soft + 0.5f));
          });
  }
  const float texture = uniform(random, 0.0, 0.05);
  for (Pixel& pixel : canvas.pixels)
    pixel.shade = 1 + texture * (static_cast<float>(random.next_u32() >> 16) / 32768.0f - 1);
  return canvas;
}

FacePainter::FacePainter(Canvas& c, const Person& p, const FaceState& s, const Light& l)
    : canvas(c), person(p), state(s), light(l) {
  const float size = static_cast<float>(c.size);
  const float unit = size * s.pose.scale;
  head = Placement{size * s.pose.x, size * s.pose.y, unit, 0, 0, unit}.at(0, 0, 1, 1, s.pose.roll);
  chin = p.chin + 0.11f * std::max(0.0f, s.muscles[kMouthOpen]);
}

float FacePainter::egg(float y) const {
  const float t = y > 0 ? y / chin : y / person.crown;
  const float t2 = t * t;
  return y > 0 ? person.jaw * t2 + (1 - person.jaw) * t2 * t2 * t2 : t2;
}

Placement FacePainter::on_face(float x, float y, float lift, float side, float angle) const {
  const float nx = x / person.width;
  const float height = kDepth * std::sqrt(std::max(0.08f, 1 - nx * nx - egg(y)));
  const float turn = std::sin(state.pose.yaw);
  const float nod = std::sin(state.pose.pitch);
  const float lean = -kDepth * kDepth * nx / (person.width * height);  // d height / d x
  const float squash = std::clamp(std::cos(state.pose.yaw) + lean * turn, 0.55f, 1.2f);
  return head.at(x * std::cos(state.pose.yaw) + (height + lift) * turn,
                 y * std::cos(state.pose.pitch) + (height - 0.4f + lift) * nod, squash * side, 1,
                 angle * side);
}

void FacePainter::paint_body() const {
  const Person& p = person;
  const float ppu = head.pixels_per_unit();
  if (p.hair_style == HairStyle::long_straight || p.hair_style == HairStyle::long_wavy) {
    const bool wavy = p.hair_style == HairStyle::long_wavy;
    const float w = p.width + p.hair_volume + 0.12f;
    paint(canvas, head, {-w - 0.2f, -p.crown - 0.2f, w + 0.2f, 1.35f},
          [&](Pixel& pixel, float u, float v) {
            const float edge = wavy ? 0.05f * wave(v * 1.75f) : 0.0f;
            const float cap = v < 0 ? std::sqrt(std::max(0.0f, 1 - v * v / 1.5f)) : 1 + 0.1f * v;
            const float alpha = coverage(w * cap + edge - std::abs(u), ppu);
            if (alpha <= 0) return;
            const float tone = 0.62f + 0.16f * strand(p, u * 3 + edge * 4 + 8);
            blend(pixel.colour, p.hair * tone, alpha);
            pixel.shade += (1 - pixel.shade) * alpha;
          });
  }
  const float neck = p.width * 0.58f;
  paint(canvas, head, {-2.4f, 0.7f, 2.4f, 2.6f}, [&](Pixel& pixel, float u, float v) {
    const float au = std::abs(u);
    const float cloth = coverage(v - 1.28f - 0.22f * au * au + 0.35f * blob(u * 1.6f, 0), ppu);
    const float skin = coverage(neck + 0.5f * std::max(0.0f, v - 1.1f) - au, ppu);
    if (skin > 0) {
      const float shadow = 0.55f + 0.3f * clamp01((v - 1.0f) * 2.2f);
      blend(pixel.colour, p.skin * 0.94f, skin);
      pixel.shade += (shadow * (1 - 0.3f * au) - pixel.shade) * skin;
    }
    if (cloth > 0) {
      blend(pixel.colour, p.clothes * (0.9f + 0.12f * strand(p, u + v * 2 + 9)), cloth);
      pixel.shade += (0.9f + 0.25f * light.x * u - pixel.shade) * cloth;
    }
  });
  for (const float side : {-1.0f, 1.0f}) {
    const float out = p.width * (1 - 0.25f * side * std::sin(state.pose.yaw));
    const Placement ear = head.at(side * out, p.eye_y + 0.14f, side, 1, 0.12f);
    paint(canvas, ear, {-0.13f, -0.22f, 0.13f, 0.22f}, [&](Pixel& pixel, float u, float v) {
      const float r = std::sqrt(u * u / 0.0110f + v * v / 0.036f);
      const float alpha = coverage((1 - r) * 0.12f, ppu);
      blend(pixel.colour, p.skin * (r < 0.6f ? 0.78f : 0.95f), alpha);
      pixel.shade += (0.82f + 0.25f * light.x * side - pixel.shade) * alpha;
    });
  }
}

void FacePainter::paint_skin() const {
  const Person& p = person;
  const float ppu = head.pixels_per_unit();
  const float inv_w = 1 / p.width;
  const float shift = 0.5f * std::sin(state.pose.yaw);
  paint(canvas, head, {-p.width - 0.03f, -p.crown - 0.03f, p.width + 0.03f, chin + 0.03f},
        [&](Pixel& pixel, float u, float v) {
          const float nx = u * inv_w;
          const float e = egg(v);
          const float ny = v > 0 ? (0.45f * p.jaw * v + 0.5f * e) : v * 0.75f;
          const float f = nx * nx + e;
          const float alpha = coverage((1 - f) * 0.38f, ppu);
          if (alpha <= 0) return;
          const float nz = std::sqrt(std::max(0.0f, 1 - f));
          const float lit = std::max(0.0f, nx * light.x + ny * light.y + nz * light.z);
          const float shade = light.ambient + (1.05f - light.ambient) * lit + 0.10f * nz;
          Colour skin = p.skin;
          const float edge = 0.42f - 0.62f * nx * nx * nx * nx;
          if (p.beard > 0 && v > edge) {
            const float hairy = p.beard * clamp01((v - edge) * 6);
            blend(skin, p.hair * (0.8f + 0.25f * strand(p, u * 9 + v * 5 + 40)), 0.8f * hairy);
          }
          const float blush_u = (std::abs(u - shift) - 0.42f) * 3.4f;
          blend(skin, {0.86f, 0.36f, 0.32f}, 0.14f * blob(blush_u, (v - 0.26f) * 3.4f));
          blend(pixel.colour, skin, alpha);
          pixel.shade += (shade - pixel.shade) * alpha;
        });
  for (const Mark& mark : p.marks) {
    const Placement at = on_face(mark.x, mark.y);
    const float radius = mark.radius;
    paint(canvas, at, {-radius, -radius, radius, radius}, [&](Pixel& pixel, float u, float v) {
      blend(pixel.colour, p.skin * 0.55f, 0.6f * blob(u / radius, v / radius));
    });
  }
}

void FacePainter::paint_hair() const {
  const Person& p = person;
  const float ppu = head.pixels_per_unit();
  const bool fringe = p.hair_style == HairStyle::fringe;
  const bool receding = p.hair_style == HairStyle::receding;
  const float shift = 0.45f * std::sin(state.pose.yaw);
  const float line = (fringe ? p.hairline + 0.26f : p.hairline) + (receding ? -0.14f : 0.0f) +
                     0.3f * std::sin(state.pose.pitch);
  const float part = p.hair_style == HairStyle::side_part ? p.hair_part : p.hair_part * 0.2f;
  const float volume = receding ? 0.03f : p.hair_volume;
  const float outer_w = 1 / (p.width + 0.02f + volume * 0.7f);
  const float outer_h = 1 / (p.crown + volume);
  const float side_w = 1 / p.width;
  const float reach = p.width + volume + 0.1f;
  paint(canvas, head, {-reach, -p.crown - volume - 0.05f, reach, 0.45f},
        [&](Pixel& pixel, float u, float v) {
          const float ou = u * outer_w, ov = v * outer_h;
          const float outer = coverage((1 - ou * ou - ov * ov) * 0.45f, ppu);
          if (outer <= 0) return;
          const float s = (u - shift) * side_w;
          const float s2 = s * s;
          const float wave = fringe ? 0.03f * strand(p, u * 2 + 3) : 0.012f * strand(p, u + 3);
          const float peak = receding ? 0.20f * blob(s * 2.2f, 0) : 0.0f;
          const float edge = line + peak + part * s * (1 - std::min(1.0f, s2)) + wave +
                             (p.hair_side - line) * s2 * s2;
          if (v > edge + 0.08f) return;
          const float alpha = outer * coverage(edge - v, ppu * 0.5f);
          const float sheen = blob((u - 0.5f * light.x) * 1.3f, (v + 0.85f) * 3.0f);
          const float tone =
              0.82f + 0.22f * strand(p, (u - part) * 4 / (1.3f + v) + 70) + 0.3f * sheen;
          blend(pixel.colour, p.hair * tone, alpha);
          pixel.shade += (0.95f + 0.3f * light.x * u - pixel.shade) * alpha;
          // The hair's shadow on the forehead.
          pixel.shade *= 1 - 0.22f * (outer - alpha) * clamp01(1 - (v - edge) * 14);
        });
}

Image render_face(const Person& person, const FaceState& state, const Light& light,
                  const Canvas& backdrop, uint64_t grain) {
  Canvas canvas = backdrop;
  const FacePainter painter(canvas, person, state, light);
  painter.paint_body();
  painter.paint_skin();
  painter.paint_features();
  painter.paint_hair();
  return finish(canvas, light, grain);
}

}  // namespace grimace::synth
