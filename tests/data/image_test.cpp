#include "data/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "data/video_picture.h"
#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

Rgb pixel(const Image& image, int x, int y) {
  const size_t i = (static_cast<size_t>(y) * image.width + x) * 3;
  return {image.rgb[i], image.rgb[i + 1], image.rgb[i + 2]};
}

Image gradient(int width, int height) {
  Image image = make_image(width, height, {});
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 7 + i / 50);
  return image;
}

int dots(const Image& image, Rgb colour) {
  int count = 0;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) count += pixel(image, x, y) == colour;
  return count;
}

TEST(Image, a_png_starts_with_the_signature_and_repeats_byte_for_byte) {
  const std::vector<uint8_t> bytes = encode_png(gradient(13, 7));
  const std::vector<uint8_t> signature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  ASSERT_GT(bytes.size(), signature.size());
  EXPECT_TRUE(std::equal(signature.begin(), signature.end(), bytes.begin()));
  EXPECT_EQ(bytes, encode_png(gradient(13, 7)));
}

TEST(Image, a_written_png_reads_back_exactly) {
  const testing::ScratchDir scratch;
  const Image image = gradient(37, 21);
  write_png(scratch / "picture.png", image);
  const Image again = decode_picture(scratch / "picture.png");
  EXPECT_EQ(again.width, 37);
  EXPECT_EQ(again.height, 21);
  EXPECT_EQ(again.rgb, image.rgb);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1);
}

TEST(Image, writing_where_there_is_no_folder_is_an_error_that_names_the_file) {
  const testing::ScratchDir scratch;
  EXPECT_THAT(
      testing::error_of([&] { write_png(scratch / "absent" / "picture.png", gradient(4, 4)); }),
      ::testing::HasSubstr("absent/picture.png: cannot write here"));
}

TEST(Image, sides_out_of_range_are_refused) {
  EXPECT_THROW(make_image(0, 4, {}), Error);
  EXPECT_THROW(make_image(4, 100000, {}), Error);
}

TEST(Image, pasting_cuts_off_what_lies_outside) {
  Image canvas = make_image(4, 4, {0, 0, 0});
  const Image tile = make_image(3, 3, {9, 8, 7});
  paste(canvas, tile, -1, 2);
  paste(canvas, tile, 40, 40);
  EXPECT_EQ(dots(canvas, {9, 8, 7}), 4);
  EXPECT_EQ(pixel(canvas, 1, 3), (Rgb{9, 8, 7}));
  EXPECT_EQ(pixel(canvas, 2, 3), (Rgb{0, 0, 0}));
}

TEST(Image, text_is_drawn_in_the_given_colour_and_scale) {
  Image canvas = make_image(20, 20, {255, 255, 255});
  draw_text(canvas, "l", 0, 0, 1, {1, 2, 3});
  EXPECT_EQ(dots(canvas, {1, 2, 3}), 11);  // six dots down, five along the foot
  draw_text(canvas, "L", 0, 0, 2, {1, 2, 3});
  EXPECT_EQ(pixel(canvas, 9, 13), (Rgb{1, 2, 3}));
  EXPECT_EQ(text_width("abc", 2), 36);
}

TEST(Image, a_grid_keeps_every_tile_whole_and_separate) {
  const Image red = make_image(10, 20, {200, 0, 0});
  const Image blue = make_image(10, 20, {0, 0, 200});
  const Image grid = compose_grid({{"one", {red, blue}}, {"two", {blue}}}, {"a", "b"});
  EXPECT_EQ(dots(grid, {200, 0, 0}), 200);
  EXPECT_EQ(dots(grid, {0, 0, 200}), 400);
  EXPECT_GT(dots(grid, {40, 40, 40}), 50);  // the labels
}

TEST(Image, a_grid_of_unequal_or_no_tiles_is_refused) {
  EXPECT_THROW(compose_grid({}, {}), Error);
  EXPECT_THROW(compose_grid({{"x", {make_image(4, 4, {}), make_image(4, 5, {})}}}, {}), Error);
}

}  // namespace
}  // namespace grimace
