// Frames come as the container wants them shown, whichever way the camera was held.
#include "data/orientation.h"

#include <gtest/gtest.h>

#include <limits>

#include "data/frame_source.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using Matrix = std::array<int32_t, 9>;

// [a b; c d] of whole numbers.
Matrix matrix(int a, int b, int c, int d) {
  return {a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30};
}

// The picture whose bytes count up, turned. Letters stand for its pixels:
//   abc
//   def
std::string turned(const Matrix& display_matrix) {
  Image stored{3, 2, std::vector<uint8_t>(18)};
  for (size_t i = 0; i < 18; ++i) stored.rgb[i] = static_cast<uint8_t>('a' + i / 3);
  const Image shown = oriented(stored, orientation_from(display_matrix));
  std::string text;
  for (int y = 0; y < shown.height; ++y) {
    for (int x = 0; x < shown.width; ++x)
      text += static_cast<char>(shown.rgb[static_cast<size_t>(y * shown.width + x) * 3 + 2]);
    text += y + 1 < shown.height ? "/" : "";
  }
  return text;
}

TEST(VideoOrientation, turns_and_mirrors_a_picture_in_all_eight_ways) {
  EXPECT_EQ(turned(matrix(1, 0, 0, 1)), "abc/def");
  EXPECT_EQ(turned(matrix(0, 1, -1, 0)), "da/eb/fc");  // a quarter turn clockwise
  EXPECT_EQ(turned(matrix(-1, 0, 0, -1)), "fed/cba");
  EXPECT_EQ(turned(matrix(0, -1, 1, 0)), "cf/be/ad");
  EXPECT_EQ(turned(matrix(-1, 0, 0, 1)), "cba/fed");
  EXPECT_EQ(turned(matrix(1, 0, 0, -1)), "def/abc");
  EXPECT_EQ(turned(matrix(0, 1, 1, 0)), "ad/be/cf");
  EXPECT_EQ(turned(matrix(0, -1, -1, 0)), "fc/eb/da");
}

TEST(VideoOrientation, a_rounded_sine_is_zero_and_other_matrices_change_nothing) {
  EXPECT_EQ(turned({4, 65533, 0, -65540, -3, 0, 0, 0, 1 << 30}), "da/eb/fc");
  EXPECT_EQ(turned({46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30}), "abc/def");
  EXPECT_EQ(turned({}), "abc/def");
  constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
  EXPECT_EQ(turned({0, kLeast, 0, kLeast, 0, 0, 0, 0, 0}), "fc/eb/da");
}

// Writes `display_matrix` into the track header of an mp4.
void set_matrix(const std::filesystem::path& file, const Matrix& display_matrix) {
  std::string bytes = testing::file_text(file);
  const size_t header = bytes.find("tkhd");
  ASSERT_NE(header, bytes.npos);
  char* at = bytes.data() + header + 4 + 40;  // behind version, times, id, duration, layer, volume
  for (const int32_t value : display_matrix)
    for (const int shift : {24, 16, 8, 0}) *at++ = static_cast<char>(value >> shift);
  testing::write_bytes(file, bytes);
}

class OrientedVideo : public ::testing::TestWithParam<Matrix> {};
INSTANTIATE_TEST_SUITE_P(, OrientedVideo,
                         ::testing::Values(matrix(1, 0, 0, 1), matrix(0, 1, -1, 0),
                                           matrix(-1, 0, 0, -1), matrix(0, -1, 1, 0)));

TEST_P(OrientedVideo, is_read_as_it_is_shown_in_any_order) {
  const testing::ScratchDir scratch;
  testing::write_clip(scratch / "clip.mp4", 30, 64, 48);
  const std::vector<int64_t> indices{29, 0, 13};
  const std::vector<Image> stored = open_frames(scratch / "clip.mp4")->read(indices);
  set_matrix(scratch / "clip.mp4", GetParam());
  const std::vector<Image> shown = open_frames(scratch / "clip.mp4")->read(indices);
  for (size_t i = 0; i < indices.size(); ++i) {
    const Image wanted = oriented(stored[i], orientation_from(GetParam()));
    EXPECT_EQ(shown[i].width, GetParam()[0] == 0 ? 48 : 64);
    EXPECT_EQ(shown[i].width, wanted.width);
    EXPECT_EQ(shown[i].rgb, wanted.rgb) << "frame " << indices[i];
  }
}

}  // namespace
}  // namespace grimace
