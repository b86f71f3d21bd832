// Projections of points whose shape is known, and the files of grimace embed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>

#include "ir/philox.h"
#include "tests/testing.h"
#include "tools/embedding_files.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// `each` points around each of three corners of a space of 20 dimensions.
Tensor clusters(int64_t each) {
  Tensor points(DType::f32, {3 * each, 20});
  PhiloxStream random(1, stream_id("clusters"));
  for (int64_t i = 0; i < points.numel(); ++i)
    points.as<float>()[static_cast<size_t>(i)] =
        static_cast<float>(0.3 * random.normal() + (i % 20 == i / 20 / each ? 5.0 : 0.0));
  return points;
}

double distance(const Point& a, const Point& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

// How many points have a nearest neighbour of their own cluster.
int64_t with_kin(const std::vector<Point>& points, int64_t each) {
  int64_t kin = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    size_t nearest = i == 0 ? 1 : 0;
    for (size_t j = 0; j < points.size(); ++j)
      if (j != i && distance(points[i], points[j]) < distance(points[i], points[nearest]))
        nearest = j;
    kin += static_cast<int64_t>(i) / each == static_cast<int64_t>(nearest) / each ? 1 : 0;
  }
  return kin;
}

TEST(Projection, pca_finds_the_directions_of_greatest_variance) {
  // Along (3,4,0)/5 by 2 cos t, along (0,0,1) by sin t, around (7,7,7).
  Tensor points(DType::f32, {100, 3});
  std::vector<double> along, across;
  for (size_t i = 0; i < 100; ++i) {
    const double t = static_cast<double>(i) * 2 * M_PI / 100;
    along.push_back(2 * std::cos(t)), across.push_back(std::sin(t));
    points.as<float>()[3 * i] = static_cast<float>(7 + 0.6 * along.back());
    points.as<float>()[3 * i + 1] = static_cast<float>(7 + 0.8 * along.back());
    points.as<float>()[3 * i + 2] = static_cast<float>(7 + across.back());
  }
  const auto found = project_pca(points);
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_NEAR(found[i][0], along[i], 1e-5);
    EXPECT_NEAR(found[i][1], across[i], 1e-5);
  }
}

TEST(Projection, tsne_keeps_clusters_together_and_repeats_itself) {
  const auto points = project_tsne(clusters(20));
  EXPECT_EQ(with_kin(points, 20), 60);
  EXPECT_EQ(points, project_tsne(clusters(20)));
  double within = 0.0, between = 1e300;
  for (size_t i = 0; i < 60; ++i)
    for (size_t j = 0; j < i; ++j)
      if (i / 20 == j / 20)
        within = std::max(within, distance(points[i], points[j]));
      else
        between = std::min(between, distance(points[i], points[j]));
  EXPECT_GT(between, within);
}

TEST(Projection, takes_few_equal_and_flat_points) {
  for (const int64_t count : {1, 2, 3, 4, 7})
    for (const Point& point : project_tsne(Tensor(DType::f32, {count, 5}), 50))
      EXPECT_TRUE(std::isfinite(point[0]) && std::isfinite(point[1])) << count;
  for (const Point& point : project_pca(clusters(1)))
    EXPECT_TRUE(std::isfinite(point[0]) && std::isfinite(point[1]));
  EXPECT_EQ(project_pca(Tensor(DType::f32, {4, 1}))[3], Point{});
}

TEST(Projection, tsne_refuses_more_points_than_it_can_compare) {
  EXPECT_THAT(testing::error_of([] {
                project_tsne(Tensor(DType::f32, {5001, 1}));
              }),
              HasSubstr("at most 5000 points; got 5001"));
}

TEST(EmbeddingFiles, npy_is_a_header_of_whole_64_bytes_and_the_numbers) {
  const Tensor features = Tensor::from<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6.5});
  const std::string bytes = npy_bytes(features);
  EXPECT_THAT(bytes, StartsWith(std::string("\x93NUMPY\x01\x00", 8)));
  EXPECT_EQ((bytes.size() - 24) % 64, 0u);
  EXPECT_THAT(bytes, HasSubstr("'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
  EXPECT_EQ(bytes[bytes.size() - 25], '\n');
  const testing::ScratchDir dir;
  std::ofstream(dir / "x.npy", std::ios::binary) << bytes;
  const char* python = std::getenv("GRIMACE_PEERS_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "GRIMACE_PEERS_PYTHON names no python3 with numpy";
  const std::string command =
      cat(python, " -c \"import numpy as n; x = n.load('", (dir / "x.npy").string(),
          "'); assert x.dtype == 'f4' and x.tolist() == [[1, 2, 3], [4, 5, 6.5]]\"");
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(EmbeddingFiles, csv_quotes_what_needs_it) {
  const Tensor features = Tensor::from<float>({2, 2}, std::vector<float>{0.5, -1, 2, 1e-9f});
  EXPECT_EQ(features_csv({"a,b.mp4", "c.mp4"}, {"", "joy"}, features),
            "path,label,f0,f1\n\"a,b.mp4\",,0.5,-1\nc.mp4,joy,2,1e-09\n");
}

TEST(EmbeddingFiles, a_picture_has_the_colours_of_its_labels) {
  const std::vector<Point> points{{0, 0}, {1, 0}, {0, 1}};
  const Image plain = scatter_picture(points, {"", "", ""}, "PCA");
  const Image labelled = scatter_picture(points, {"a", "b", ""}, "PCA");
  EXPECT_GT(labelled.width, plain.width);
  const auto colours = [](const Image& image) {
    std::set<Rgb> found;
    for (size_t i = 0; i < image.rgb.size(); i += 3)
      found.insert({image.rgb[i], image.rgb[i + 1], image.rgb[i + 2]});
    return found;
  };
  EXPECT_TRUE(colours(labelled).contains(Rgb{0, 114, 178}));
  EXPECT_TRUE(colours(labelled).contains(Rgb{230, 159, 0}));
  EXPECT_FALSE(colours(plain).contains(Rgb{0, 114, 178}));
}

}  // namespace
}  // namespace grimace
