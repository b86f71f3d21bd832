// Every operation against what Pillow made, exactly. tests/golden/pillow/make.py writes the file,
// and larger ones: GRIMACE_PILLOW_FILE=more.safetensors tests those instead.
#include "data/pixel_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "data/augment.h"
#include "ir/error.h"
#include "runtime/safetensors.h"
#include "tests/testing.h"

namespace grimace {
namespace {

const SafetensorsFile& pillow() {
  static const SafetensorsFile file = [] {
    const char* other = std::getenv("GRIMACE_PILLOW_FILE");
    return SafetensorsFile(other ? std::filesystem::path(other)
                                 : testing::repository_dir() / "tests" / "golden" / "pillow" /
                                       "pixel_ops.safetensors");
  }();
  return file;
}

Image stored(const std::string& name) {
  const Tensor tensor = pillow().tensor(name);
  const auto pixels = tensor.as<uint8_t>();
  return {static_cast<int>(tensor.shape()[1]),
          static_cast<int>(tensor.shape()[0]),
          {pixels.begin(), pixels.end()}};
}

// "rotate/photo/21" as its three parts.
std::vector<std::string> split(const std::string& name) {
  std::vector<std::string> parts;
  std::stringstream in(name);
  for (std::string part; std::getline(in, part, '/');) parts.push_back(part);
  return parts;
}

Box parse_box(const std::string& text) {
  Box box;
  std::stringstream(text) >> box.x >> box.y >> box.width >> box.height;
  return box;
}

void expect_same(const Image& image, const std::string& name) {
  const Image expected = stored(name);
  ASSERT_EQ(image.width, expected.width) << name;
  ASSERT_EQ(image.height, expected.height) << name;
  int different = 0, worst = 0;
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    const int distance = std::abs(image.rgb[i] - expected.rgb[i]);
    different += distance > 0;
    worst = std::max(worst, distance);
  }
  EXPECT_EQ(different, 0) << name << ": of " << image.rgb.size() << " values, worst " << worst;
}

// Compares every stored case of an operation; each has at least three pictures.
void expect_pillow(const std::string& op, RandOp number) {
  int cases = 0;
  for (const std::string& name : pillow().names()) {
    const auto parts = split(name);
    if (parts[0] != op) continue;
    double argument = 0;
    std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), argument);
    expect_same(apply({number, argument}, stored("image/" + parts[1])), name);
    ++cases;
  }
  EXPECT_GE(cases, 3) << op;
}

TEST(PixelOps, auto_contrast_equals_pillow) {
  expect_pillow("auto_contrast", RandOp::auto_contrast);
}
TEST(PixelOps, equalize_equals_pillow) {
  expect_pillow("equalize", RandOp::equalize);
}
TEST(PixelOps, invert_equals_pillow) {
  expect_pillow("invert", RandOp::invert);
}
TEST(PixelOps, rotate_equals_pillow) {
  expect_pillow("rotate", RandOp::rotate);
}
TEST(PixelOps, posterize_equals_pillow) {
  expect_pillow("posterize", RandOp::posterize);
}
TEST(PixelOps, solarize_equals_pillow) {
  expect_pillow("solarize", RandOp::solarize);
}
TEST(PixelOps, solarize_add_equals_pillow) {
  expect_pillow("solarize_add", RandOp::solarize_add);
}
TEST(PixelOps, color_equals_pillow) {
  expect_pillow("color", RandOp::color);
}
TEST(PixelOps, contrast_equals_pillow) {
  expect_pillow("contrast", RandOp::contrast);
}
TEST(PixelOps, brightness_equals_pillow) {
  expect_pillow("brightness", RandOp::brightness);
}
TEST(PixelOps, sharpness_equals_pillow) {
  expect_pillow("sharpness", RandOp::sharpness);
}
TEST(PixelOps, shear_x_equals_pillow) {
  expect_pillow("shear_x", RandOp::shear_x);
}
TEST(PixelOps, shear_y_equals_pillow) {
  expect_pillow("shear_y", RandOp::shear_y);
}
TEST(PixelOps, translate_x_equals_pillow) {
  expect_pillow("translate_x", RandOp::translate_x);
}
TEST(PixelOps, translate_y_equals_pillow) {
  expect_pillow("translate_y", RandOp::translate_y);
}

TEST(PixelOps, the_bilinear_resize_equals_pillow) {
  int cases = 0;
  for (const std::string& name : pillow().names()) {
    const auto parts = split(name);
    if (parts[0] != "resize") continue;
    expect_same(resize(stored("image/" + parts[1]), parse_box(parts[2]), 16, 16), name);
    ++cases;
  }
  EXPECT_GE(cases, 3);
}

TEST(PixelOps, the_float_resize_has_two_taps_and_half_pixel_centres) {
  const Tensor plane = pillow().tensor("image/plane");
  int cases = 0;
  for (const std::string& name : pillow().names()) {
    const auto parts = split(name);
    if (parts[0] != "plane") continue;
    const Tensor expected = pillow().tensor(name);
    std::vector<float> out(20 * 24), mirrored(20 * 24);
    const Box box = parse_box(parts[1]);
    resize_plane(plane.as<float>(), 24, box, false, out, 20, 24);
    resize_plane(plane.as<float>(), 24, box, true, mirrored, 20, 24);
    for (size_t i = 0; i < out.size(); ++i) {
      EXPECT_NEAR(out[i], expected.as<float>()[i], 1e-5) << name << " at " << i;
      EXPECT_EQ(out[i], mirrored[i / 24 * 24 + 23 - i % 24]) << name << " at " << i;
    }
    ++cases;
  }
  EXPECT_EQ(cases, 4);
}

TEST(PixelOps, quarter_turns_move_pixels_exactly) {
  Image image{5, 5, {}};
  for (int i = 0; i < 75; ++i) image.rgb.push_back(static_cast<uint8_t>(i * 3));
  EXPECT_EQ(rotate(rotate(image, 90), -90).rgb, image.rgb);
  EXPECT_EQ(rotate(rotate(image, 180), 180).rgb, image.rgb);
  EXPECT_EQ(rotate(image, 360).rgb, image.rgb);
  EXPECT_NE(rotate(image, 90).rgb, image.rgb);
}

TEST(PixelOps, arguments_out_of_range_are_our_mistake) {
  const Image image{1, 1, {1, 2, 3}};
  EXPECT_THROW(posterize(image, 9), InternalError);
  EXPECT_THROW(solarize_add(image, -1), InternalError);
  EXPECT_EQ(posterize(image, 0).rgb, (std::vector<uint8_t>{0, 0, 0}));
}

}  // namespace
}  // namespace grimace
