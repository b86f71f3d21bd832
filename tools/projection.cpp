#include "tools/projection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace grimace {
namespace {

using Rows = std::vector<double>;  // [rows][cols], row-major

// Columns moved to mean zero.
Rows centred(const Tensor& points) {
  const auto n = static_cast<size_t>(points.shape()[0]), c = static_cast<size_t>(points.shape()[1]);
  const auto values = points.as<float>();
  Rows x(values.begin(), values.end());
  for (size_t j = 0; j < c; ++j) {
    double mean = 0.0;
    for (size_t i = 0; i < n; ++i) mean += x[i * c + j] / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) x[i * c + j] -= mean;
  }
  return x;
}

// ---- PCA: the two leading eigenvectors of the covariance by orthogonal iteration ----

constexpr size_t kDirections = 8;  // iterated together, so that the first two converge fast
constexpr int kSweeps = 200;

Rows covariance(const Rows& x, size_t n, size_t c) {
  Rows result(c * c);
  for (size_t i = 0; i < n; ++i)
    for (size_t a = 0; a < c; ++a)
      for (size_t b = 0; b < c; ++b) result[a * c + b] += x[i * c + a] * x[i * c + b];
  return result;
}

double dot(const double* a, const double* b, size_t n) {
  return std::inner_product(a, a + n, b, 0.0);
}

// Gram-Schmidt on the rows of v; a row that vanishes stays zero.
void orthonormalise(Rows& v, size_t c) {
  for (size_t k = 0; k * c < v.size(); ++k) {
    double* row = &v[k * c];
    const double before = std::sqrt(dot(row, row, c));
    for (size_t earlier = 0; earlier < k; ++earlier) {
      const double along = dot(row, &v[earlier * c], c);
      for (size_t j = 0; j < c; ++j) row[j] -= along * v[earlier * c + j];
    }
    const double length = std::sqrt(dot(row, row, c));
    const bool vanished = length <= 1e-12 * before || length == 0.0;
    for (size_t j = 0; j < c; ++j) row[j] = vanished ? 0.0 : row[j] / length;
  }
}

// [kDirections][c], by falling variance.
Rows principal_directions(const Rows& x, size_t n, size_t c) {
  const Rows matrix = covariance(x, n, c);
  const size_t wanted = std::min(kDirections, c);
  Rows v(wanted * c);
  for (size_t k = 0; k < wanted; ++k)
    for (size_t j = 0; j < c; ++j)  // any start that is not orthogonal to an eigenvector
      v[k * c + j] = std::cos(static_cast<double>((k + 1) * (j + 1)));
  Rows next(v.size());
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    orthonormalise(v, c);
    for (size_t k = 0; k < wanted; ++k)
      for (size_t a = 0; a < c; ++a) next[k * c + a] = dot(&matrix[a * c], &v[k * c], c);
    std::swap(v, next);
  }
  orthonormalise(v, c);
  return v;
}

// ---- t-SNE ----

constexpr double kPerplexity = 30.0;
constexpr double kStartSpread = 1e-2;
constexpr double kExaggeration = 12.0;
constexpr int kExaggerated = 250;  // iterations

Rows squared_distances(const Rows& x, size_t n, size_t c) {
  Rows distance(n * n);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = i + 1; j < n; ++j) {
      double sum = 0.0;
      for (size_t k = 0; k < c; ++k) {
        const double d = x[i * c + k] - x[j * c + k];
        sum += d * d;
      }
      distance[i * n + j] = distance[j * n + i] = sum;
    }
  return distance;
}

// Replaces the distances of point i by how likely it picks each other one as a neighbour, with a
// width found by bisection so that the entropy is the logarithm of the perplexity.
void to_neighbours(double* row, size_t n, size_t i, double perplexity) {
  double nearest = std::numeric_limits<double>::infinity(), mean = 0.0;
  for (size_t j = 0; j < n; ++j)
    if (j != i) nearest = std::min(nearest, row[j]), mean += row[j] / static_cast<double>(n - 1);
  const std::vector<double> distance(row, row + n);
  double low = 0.0, high = std::numeric_limits<double>::infinity();
  double beta = mean > 0.0 ? 1.0 / mean : 1.0;
  for (int tries = 0; tries < 60; ++tries) {
    double sum = 0.0, weighted = 0.0;
    for (size_t j = 0; j < n; ++j) {
      row[j] = j == i ? 0.0 : std::exp(-(distance[j] - nearest) * beta);
      sum += row[j];
      weighted += row[j] * (distance[j] - nearest);
    }
    for (size_t j = 0; j < n; ++j) row[j] /= sum;
    const double entropy = std::log(sum) + beta * weighted / sum;
    if (std::abs(entropy - std::log(perplexity)) < 1e-5) return;
    (entropy > std::log(perplexity) ? low : high) = beta;
    beta = std::isinf(high) ? beta * 2.0 : (low + high) / 2.0;
  }
}

// Symmetric, and 1 in sum over all pairs.
Rows joint_probabilities(const Rows& x, size_t n, size_t c) {
  Rows p = squared_distances(x, n, c);
  const double perplexity = std::min(kPerplexity, static_cast<double>(n - 1) / 3.0);
  for (size_t i = 0; i < n; ++i) to_neighbours(&p[i * n], n, i, std::max(perplexity, 1.0));
  for (size_t i = 0; i < n; ++i)
    for (size_t j = i + 1; j < n; ++j)
      p[i * n + j] = p[j * n + i] =
          std::max((p[i * n + j] + p[j * n + i]) / (2.0 * static_cast<double>(n)), 1e-12);
  return p;
}

class Tsne {
 public:
  Tsne(const Rows& p, std::vector<Point> start)
      : p_(p), y_(std::move(start)), velocity_(y_.size()), gain_(y_.size(), Point{1, 1}) {}

  std::vector<Point> run(int iterations) {
    for (int i = 0; i < iterations; ++i)
      step(i < kExaggerated ? kExaggeration : 1.0, i < kExaggerated ? 0.5 : 0.8);
    return std::move(y_);
  }

 private:
  // Momentum, and gains as of the original program: they grow where the direction keeps.
  void step(double exaggeration, double momentum) {
    const std::vector<Point> gradient = slope(exaggeration);
    const double rate = std::max(static_cast<double>(y_.size()) / kExaggeration / 4.0, 50.0);
    Point mean{};
    for (size_t i = 0; i < y_.size(); ++i)
      for (size_t d = 0; d < 2; ++d) {
        const bool turned = (gradient[i][d] > 0) == (velocity_[i][d] > 0);
        gain_[i][d] = turned ? std::max(gain_[i][d] * 0.8, 0.01) : gain_[i][d] + 0.2;
        velocity_[i][d] = momentum * velocity_[i][d] - rate * gain_[i][d] * gradient[i][d];
        y_[i][d] += velocity_[i][d];
        mean[d] += y_[i][d] / static_cast<double>(y_.size());
      }
    for (Point& point : y_)
      for (size_t d = 0; d < 2; ++d) point[d] -= mean[d];
  }

  // d KL / d y_i = 4 sum_j (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2)
  std::vector<Point> slope(double exaggeration) {
    const size_t n = y_.size();
    double total = 0.0;
    std::vector<Point> pull(n), push(n);
    for (size_t i = 0; i < n; ++i)
      for (size_t j = i + 1; j < n; ++j) {
        const double dx = y_[i][0] - y_[j][0], dy = y_[i][1] - y_[j][1];
        const double near = 1.0 / (1.0 + dx * dx + dy * dy);
        total += 2.0 * near;
        const double together = exaggeration * p_[i * n + j] * near, apart = near * near;
        pull[i][0] += together * dx, pull[i][1] += together * dy;
        pull[j][0] -= together * dx, pull[j][1] -= together * dy;
        push[i][0] += apart * dx, push[i][1] += apart * dy;
        push[j][0] -= apart * dx, push[j][1] -= apart * dy;
      }
    for (size_t i = 0; i < n; ++i)
      for (size_t d = 0; d < 2; ++d) pull[i][d] = 4.0 * (pull[i][d] - push[i][d] / total);
    return pull;
  }

  const Rows& p_;
  std::vector<Point> y_, velocity_, gain_;
};

}  // namespace

std::vector<Point> project_pca(const Tensor& points) {
  const auto n = static_cast<size_t>(points.shape()[0]), c = static_cast<size_t>(points.shape()[1]);
  const Rows x = centred(points);
  Rows directions = principal_directions(x, n, c);
  std::vector<Point> result(n);
  for (size_t d = 0; d < std::min<size_t>(2, c); ++d) {
    double* v = &directions[d * c];
    const double* largest =
        std::max_element(v, v + c, [](double a, double b) { return std::abs(a) < std::abs(b); });
    const double sign = *largest < 0 ? -1.0 : 1.0;
    for (size_t i = 0; i < n; ++i) result[i][d] = sign * dot(&x[i * c], v, c);
  }
  return result;
}

std::vector<Point> project_tsne(const Tensor& points, int iterations) {
  const int64_t n = points.shape()[0];
  check(n <= kMostTsnePoints, "t-SNE here is exact and takes at most ", kMostTsnePoints,
        " points; got ", n, "; --projection pca takes any number");
  std::vector<Point> start = project_pca(points);
  if (n < 4) return start;
  double spread = 1e-300;
  for (const Point& point : start) spread = std::max(spread, std::abs(point[0]));
  for (Point& point : start)
    point = {point[0] / spread * kStartSpread, point[1] / spread * kStartSpread};
  const Rows p = joint_probabilities(centred(points), static_cast<size_t>(n),
                                     static_cast<size_t>(points.shape()[1]));
  return Tsne(p, std::move(start)).run(iterations);
}

}  // namespace grimace
