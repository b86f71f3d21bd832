// Expected values were made with Pillow 13.0: image.crop(box).resize(size, Image.BILINEAR).
#include "data/resize.h"

#include <gtest/gtest.h>

#include "ir/error.h"
#include "ir/philox.h"

namespace grimace {
namespace {

Image pattern(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb.push_back(
            static_cast<uint8_t>(x * x * 7 + y * 13 + c * 31 + x * y * 3 + x * y * y / 5));
  return image;
}

uint64_t hash(const Image& image) {
  return stream_id({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
}

TEST(Resize, shrinking_equals_pillow) {
  const std::vector<uint8_t> expected{82,  107, 124, 132, 125, 129, 132, 124, 134, 121, 132, 116,
                                      129, 124, 122, 124, 140, 144, 128, 125, 128, 128, 122, 131,
                                      132, 113, 124, 130, 123, 134, 132, 127, 134, 134, 123, 129,
                                      128, 124, 126, 112, 129, 143, 126, 123, 132, 130, 127, 121,
                                      138, 133, 121, 125, 115, 129, 111, 120, 125, 135, 116, 143};
  const Image out = resize(pattern(23, 17), {0, 0, 23, 17}, 5, 4);
  EXPECT_EQ(out.width, 5);
  EXPECT_EQ(out.height, 4);
  EXPECT_EQ(out.rgb, expected);
}

TEST(Resize, enlarging_equals_pillow) {
  const std::vector<uint8_t> expected{
      0,  31, 62, 4,  35, 66, 11, 42, 73,  24, 55, 86,  46, 77,  108, 63,  94,  125,
      5,  36, 67, 10, 41, 72, 17, 48, 79,  32, 63, 94,  54, 85,  116, 72,  103, 134,
      13, 44, 75, 18, 49, 80, 27, 58, 89,  43, 74, 105, 66, 97,  128, 85,  116, 147,
      21, 52, 83, 27, 58, 89, 37, 68, 99,  54, 85, 116, 79, 110, 141, 99,  130, 161,
      26, 57, 88, 33, 64, 95, 44, 75, 106, 62, 93, 124, 88, 119, 150, 109, 140, 171};
  EXPECT_EQ(resize(pattern(4, 3), {0, 0, 4, 3}, 6, 5).rgb, expected);
}

TEST(Resize, crops_of_every_shape_equal_pillow) {
  struct Case {
    int width, height;
    Box box;
    int out_width, out_height;
    uint64_t expected;  // FNV-1a of the pixels
  };
  const Case cases[] = {
      {224, 224, {32, 0, 160, 160}, 160, 160, 0x1f9db9afc42cb025},
      {224, 224, {14, 7, 196, 168}, 160, 160, 0x05b70e6c3ec3fea4},
      {224, 224, {0, 0, 224, 224}, 160, 160, 0xc4761191c8824d61},
      {160, 160, {20, 20, 140, 105}, 160, 160, 0x485fdcce4e07185b},
      {105, 105, {0, 0, 105, 105}, 160, 160, 0x6ed3c87fadbc51f7},
      {640, 480, {3, 5, 636, 466}, 160, 160, 0xa3141e0f44f30187},
      {64, 64, {0, 0, 64, 64}, 64, 31, 0x72f8a65841d8ddb7},
      {33, 70, {0, 0, 33, 70}, 160, 70, 0x5186175005b9f154},
  };
  for (const Case& c : cases)
    EXPECT_EQ(hash(resize(pattern(c.width, c.height), c.box, c.out_width, c.out_height)),
              c.expected)
        << c.width << "x" << c.height << " to " << c.out_width << "x" << c.out_height;
}

TEST(Resize, a_crop_outside_the_image_is_our_mistake) {
  EXPECT_THROW(crop(pattern(8, 8), {1, 0, 8, 8}), InternalError);
  EXPECT_THROW(crop(pattern(8, 8), {0, -1, 8, 8}), InternalError);
  EXPECT_THROW(resize(pattern(8, 8), {0, 0, 8, 8}, 0, 8), InternalError);
}

}  // namespace
}  // namespace grimace
