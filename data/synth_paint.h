// A float canvas and the soft-edged shapes that synthetic faces are painted with. A shape is a
// function of local coordinates called for every pixel of its box, so its cost is its box.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/synth_face.h"

namespace grimace::synth {

struct Pixel {
  Colour colour;
  float shade = 1;  // multiplies the colour when the picture is finished
};

struct Canvas {
  int size = 0;  // square
  std::vector<Pixel> pixels;
};

// An affine map from local (u, v) to pixels: origin + u * x_axis + v * y_axis.
struct Placement {
  float ox = 0, oy = 0, xx = 1, xy = 0, yx = 0, yy = 1;

  // A frame inside this one: origin at (u, v), axes scaled, then rotated by `angle`.
  Placement at(float u, float v, float scale_u = 1, float scale_v = 1, float angle = 0) const {
    const float c = std::cos(angle);
    const float s = std::sin(angle);
    return {ox + u * xx + v * yx,        oy + u * xy + v * yy,        scale_u * (c * xx + s * yx),
            scale_u * (c * xy + s * yy), scale_v * (c * yx - s * xx), scale_v * (c * yy - s * xy)};
  }
  float determinant() const { return xx * yy - xy * yx; }
  float pixels_per_unit() const { return std::sqrt(std::abs(determinant())); }
};

struct LocalBox {
  float u0, v0, u1, v1;
};

inline float clamp01(float v) {
  return std::min(1.0f, std::max(0.0f, v));
}

inline Colour operator*(Colour c, float k) {
  return {c.r * k, c.g * k, c.b * k};
}

inline void blend(Colour& under, Colour over, float alpha) {
  under.r += (over.r - under.r) * alpha;
  under.g += (over.g - under.g) * alpha;
  under.b += (over.b - under.b) * alpha;
}

// Smooth hill: 1 at the origin, 0 from the unit circle outwards.
inline float blob(float u, float v) {
  const float rest = std::max(0.0f, 1 - u * u - v * v);
  return rest * rest;
}

// Coverage of a shape whose edge is `inside` local units away (positive inside).
inline float coverage(float inside, float pixels_per_unit) {
  return clamp01(inside * pixels_per_unit + 0.5f);
}

// Calls shape(pixel, u, v) for the pixels whose centres lie in the box.
template <typename Shape>
void paint(Canvas& canvas, const Placement& at, const LocalBox& box, const Shape& shape) {
  float x0 = 1e9f, y0 = 1e9f, x1 = -1e9f, y1 = -1e9f;
  for (const float u : {box.u0, box.u1})
    for (const float v : {box.v0, box.v1}) {
      const float x = at.ox + u * at.xx + v * at.yx;
      const float y = at.oy + u * at.xy + v * at.yy;
      x0 = std::min(x0, x), x1 = std::max(x1, x);
      y0 = std::min(y0, y), y1 = std::max(y1, y);
    }
  const float limit = static_cast<float>(canvas.size);
  const int left = static_cast<int>(std::clamp(x0, 0.0f, limit));
  const int right = static_cast<int>(std::clamp(x1 + 1, 0.0f, limit));
  const int top = static_cast<int>(std::clamp(y0, 0.0f, limit));
  const int bottom = static_cast<int>(std::clamp(y1 + 1, 0.0f, limit));
  const float scale = 1 / at.determinant();
  const float ux = at.yy * scale, uy = -at.yx * scale;
  const float vx = -at.xy * scale, vy = at.xx * scale;
  for (int y = top; y < bottom; ++y) {
    Pixel* const row = canvas.pixels.data() + static_cast<ptrdiff_t>(y) * canvas.size;
    const float dy = static_cast<float>(y) + 0.5f - at.oy;
    for (int x = left; x < right; ++x) {
      const float dx = static_cast<float>(x) + 0.5f - at.ox;
      const float u = ux * dx + uy * dy;
      const float v = vx * dx + vy * dy;
      if (u >= box.u0 && u <= box.u1 && v >= box.v0 && v <= box.v1) shape(row[x], u, v);
    }
  }
}

// A brush stroke along v = slope * t + bend * t^2, t = u / half_length in -1..1, thinning out
// towards both ends.
struct Stroke {
  float half_length = 0, half_thickness = 0, slope = 0, bend = 0;
};

inline void paint_stroke(Canvas& canvas, const Placement& at, const Stroke& s, Colour colour,
                         float opacity) {
  if (opacity <= 0.01f) return;
  const float ppu = at.pixels_per_unit();
  const float reach = std::abs(s.slope) + std::abs(s.bend) + s.half_thickness + 1 / ppu;
  const float l = s.half_length;
  paint(canvas, at, {-l, -reach, l, reach}, [&](Pixel& pixel, float u, float v) {
    const float t = u / l;
    const float steep = (s.slope + 2 * s.bend * t) / l;
    const float away = std::abs(v - (s.slope + s.bend * t) * t) / std::sqrt(1 + steep * steep);
    const float thickness = s.half_thickness * std::sqrt(1 - t * t);
    blend(pixel.colour, colour, opacity * coverage(thickness - away, ppu));
  });
}

// Multiplies the shade by 1 + strength under a blob of the given radii.
inline void paint_relief(Canvas& canvas, const Placement& at, float radius_u, float radius_v,
                         float strength) {
  paint(canvas, at, {-radius_u, -radius_v, radius_u, radius_v},
        [&](Pixel& pixel, float u, float v) {
          pixel.shade *= 1 + strength * blob(u / radius_u, v / radius_v);
        });
}

}  // namespace grimace::synth
