// Points of many dimensions as points of two, for people to look at.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/tensor.h"

namespace grimace {

using Point = std::array<double, 2>;

// The exact method compares all pairs: its time and memory grow with the square of the points.
constexpr int64_t kMostTsnePoints = 5000;

// points: f32 [N,C], N >= 1.

// The two directions of greatest variance, the greater first; the sign is such that the largest
// coordinate of a direction is positive.
std::vector<Point> project_pca(const Tensor& points);

// Exact t-SNE (van der Maaten and Hinton, 2008), started from the PCA: equal points give equal
// pictures. The perplexity is 30, or a third of the points where they are few. Error for more than
// kMostTsnePoints.
std::vector<Point> project_tsne(const Tensor& points, int iterations = 1000);

}  // namespace grimace
