// Where a face is in a frame, and how two such places compare.
#pragma once

#include <algorithm>
#include <vector>

namespace grimace {

// In pixels of the frame; parts may lie outside it.
struct FaceBox {
  float x = 0;
  float y = 0;
  float width = 0;
  float height = 0;
  bool operator==(const FaceBox&) const = default;
  float centre_x() const { return x + width / 2; }
  float centre_y() const { return y + height / 2; }
};

struct Face {
  FaceBox box;
  double score = 0;  // above 0: the detector would call it a face; below: only perhaps
};

// Intersection over union, 0 to 1.
inline float overlap(const FaceBox& a, const FaceBox& b) {
  const float w = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
  const float h = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  return w * h / (a.width * a.height + b.width * b.height - w * h);
}

}  // namespace grimace
