#include "data/frame_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include "data/list_file.h"
#include "ir/error.h"
#include "ir/philox.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// 24x16 JPEGs of two colour ramps, made with Pillow.
constexpr uint8_t kRamp[] = {
    255, 216, 255, 224, 0,   16,  74,  70,  73, 70,  0,   1,   1,   0,   0,   1,   0,   1,   0,
    0,   255, 219, 0,   67,  0,   5,   3,   4,  4,   4,   3,   5,   4,   4,   4,   5,   5,   5,
    6,   7,   12,  8,   7,   7,   7,   7,   15, 11,  11,  9,   12,  17,  15,  18,  18,  17,  15,
    17,  17,  19,  22,  28,  23,  19,  20,  26, 21,  17,  17,  24,  33,  24,  26,  29,  29,  31,
    31,  31,  19,  23,  34,  36,  34,  30,  36, 28,  30,  31,  30,  255, 219, 0,   67,  1,   5,
    5,   5,   7,   6,   7,   14,  8,   8,   14, 30,  20,  17,  20,  30,  30,  30,  30,  30,  30,
    30,  30,  30,  30,  30,  30,  30,  30,  30, 30,  30,  30,  30,  30,  30,  30,  30,  30,  30,
    30,  30,  30,  30,  30,  30,  30,  30,  30, 30,  30,  30,  30,  30,  30,  30,  30,  30,  30,
    30,  30,  30,  30,  30,  30,  255, 192, 0,  17,  8,   0,   16,  0,   24,  3,   1,   34,  0,
    2,   17,  1,   3,   17,  1,   255, 196, 0,  22,  0,   1,   1,   1,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   7,  0,   6,   255, 196, 0,   25,  16,  0,   1,   5,
    0,   0,   0,   0,   0,   0,   0,   0,   0,  0,   0,   0,   0,   0,   4,   6,   35,  49,  161,
    255, 196, 0,   21,  1,   1,   1,   0,   0,  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   6,   7,   255, 196, 0,   28,  17, 0,   2,   1,   5,   1,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   6,   1,  5,   33,  34,  35,  49,  4,   255, 218, 0,   12,
    3,   1,   0,   2,   17,  3,   17,  0,   63, 0,   22,  64,  215, 168, 240, 208, 160, 107, 212,
    120, 40,  32,  107, 212, 120, 104, 16,  53, 234, 60,  28,  86,  217, 59,  112, 202, 195, 119,
    50,  11,  208, 53,  234, 60,  33,  197, 3,  94,  163, 194, 37,  222, 198, 77,  179, 114, 237,
    77,  110, 209, 25,  31,  255, 217};
constexpr uint8_t kOtherRamp[] = {
    255, 216, 255, 224, 0,  16,  74,  70,  73,  70,  0,   1,   1,   0,   0,   1,   0,   1,   0,
    0,   255, 219, 0,   67, 0,   13,  9,   10,  11,  10,  8,   13,  11,  10,  11,  14,  14,  13,
    15,  19,  32,  21,  19, 18,  18,  19,  39,  28,  30,  23,  32,  46,  41,  49,  48,  46,  41,
    45,  44,  51,  58,  74, 62,  51,  54,  70,  55,  44,  45,  64,  87,  65,  70,  76,  78,  82,
    83,  82,  50,  62,  90, 97,  90,  80,  96,  74,  81,  82,  79,  255, 219, 0,   67,  1,   14,
    14,  14,  19,  17,  19, 38,  21,  21,  38,  79,  53,  45,  53,  79,  79,  79,  79,  79,  79,
    79,  79,  79,  79,  79, 79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,
    79,  79,  79,  79,  79, 79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,
    79,  79,  79,  79,  79, 79,  255, 192, 0,   17,  8,   0,   16,  0,   24,  3,   1,   34,  0,
    2,   17,  1,   3,   17, 1,   255, 196, 0,   23,  0,   0,   3,   1,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,  0,   0,   0,   0,   4,   5,   6,   255, 196, 0,   22,  16,  1,   1,
    1,   0,   0,   0,   0,  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   2,   3,   255, 196,
    0,   21,  1,   1,   1,  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    4,   6,   255, 196, 0,  25,  17,  0,   3,   0,   3,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,  2,   3,   4,   33,  34,  255, 218, 0,   12,  3,   1,   0,   2,   17,
    3,   17,  0,   63,  0,  207, 235, 4,   181, 133, 109, 96,  142, 176, 44,  220, 173, 204, 114,
    86,  176, 12,  107, 0,  197, 125, 19,  149, 126, 143, 255, 217};
// 1x1; 16x16 with transparency; and the header of one of 30000x30000.
constexpr uint8_t kDotPng[] = {137, 80,  78,  71,  13,  10, 26, 10, 0,  0,   0,  13,  73,  72,
                               68,  82,  0,   0,   0,   1,  0,  0,  0,  1,   8,  2,   0,   0,
                               0,   144, 119, 83,  222, 0,  0,  0,  12, 73,  68, 65,  84,  120,
                               156, 99,  96,  100, 98,  6,  0,  0,  14, 0,   7,  215, 111, 228,
                               120, 0,   0,   0,   0,   73, 69, 78, 68, 174, 66, 96,  130};
constexpr uint8_t kTransparentPng[] = {
    137, 80,  78, 71, 13,  10,  26,  10, 0,   0,   0,   13,  73,  72,  68, 82,  0,   0,
    0,   16,  0,  0,  0,   16,  8,   6,  0,   0,   0,   31,  243, 255, 97, 0,   0,   0,
    29,  73,  68, 65, 84,  120, 218, 99, 228, 58,  33,  215, 192, 64,  1,  96,  98,  160,
    16,  140, 26, 48, 106, 192, 168, 1,  131, 197, 0,   0,   24,  118, 1,  144, 125, 170,
    224, 196, 0,  0,  0,   0,   73,  69, 78,  68,  174, 66,  96,  130};
constexpr uint8_t kHugePng[] = {137, 80,  78, 71, 13, 10,  26, 10, 0, 0, 0, 13, 73,  72, 68,  82, 0,
                                0,   117, 48, 0,  0,  117, 48, 8,  2, 0, 0, 0,  233, 69, 111, 237};

Rgb pixel(const Image& image, int x, int y) {
  const uint8_t* at = image.rgb.data() + (y * image.width + x) * 3;
  return {at[0], at[1], at[2]};
}

void expect_near(const Rgb& got, const Rgb& expected, int tolerance) {
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(got[c], expected[c], tolerance) << "colour " << c;
}

std::vector<Image> read_all(FrameSource& source) {
  std::vector<int64_t> indices(static_cast<size_t>(source.frame_count()));
  std::iota(indices.begin(), indices.end(), 0);
  return source.read(indices);
}

Image read_one(FrameSource& source, int64_t index) {
  return std::move(source.read(std::array{index}).front());
}

// What opening and reading everything says.
std::string message(const fs::path& path) {
  return testing::error_of([&] { read_all(*open_frames(path)); });
}

class FrameSourceTest : public ::testing::Test {
 protected:
  // The message must name the file, and be one line.
  void expect_refused(const std::string& name, const std::string& expected) {
    const std::string got = message(scratch_ / name);
    EXPECT_THAT(got, StartsWith((scratch_ / name).string() + ": "));
    EXPECT_THAT(got, HasSubstr(expected));
    EXPECT_EQ(got.find('\n'), std::string::npos) << got;
  }

  testing::ScratchDir scratch_;
};

TEST_F(FrameSourceTest, a_video_gives_the_frames_that_were_written) {
  testing::write_clip(scratch_ / "a.mp4", 60);
  const auto source = open_frames(scratch_ / "a.mp4");
  ASSERT_EQ(source->frame_count(), 60);
  const auto images = read_all(*source);
  for (int frame = 0; frame < 60; ++frame) {
    const Image written = testing::moving_bar(64, 48, frame);
    ASSERT_EQ(images[frame].width, 64);
    ASSERT_EQ(images[frame].height, 48);
    double difference = 0;
    for (size_t i = 0; i < written.rgb.size(); ++i)
      difference += std::abs(written.rgb[i] - images[frame].rgb[i]);
    EXPECT_LT(difference / static_cast<double>(written.rgb.size()), 8) << "frame " << frame;
  }
}

TEST_F(FrameSourceTest, frames_come_in_the_order_asked_for_with_repeats) {
  testing::write_clip(scratch_ / "a.mp4", 60);
  const auto source = open_frames(scratch_ / "a.mp4");
  const auto all = read_all(*source);
  const std::vector<int64_t> indices{59, 3, 3, 40, 0, 59};
  const auto images = source->read(indices);
  ASSERT_EQ(images.size(), 6u);
  for (size_t i = 0; i < indices.size(); ++i)
    EXPECT_EQ(images[i].rgb, all[static_cast<size_t>(indices[i])].rgb) << i;
}

TEST_F(FrameSourceTest, a_frame_outside_the_clip_is_our_mistake) {
  testing::write_clip(scratch_ / "a.mp4", 5);
  EXPECT_THROW(read_one(*open_frames(scratch_ / "a.mp4"), 5), InternalError);
  EXPECT_THROW(read_one(*open_frames(scratch_ / "a.mp4"), -1), InternalError);
}

TEST_F(FrameSourceTest, seeking_and_threads_do_not_change_pixels) {
  const auto shared = testing::shared_dir();
  std::vector<fs::path> clips{scratch_ / "long.mp4"};
  testing::write_clip(clips[0], 150);
  if (shared)
    for (const char* name : {"crema1001_anger", "asl_a_help", "walk3_pause", "grid_lrwp9a"})
      clips.push_back(*shared / "data/faces" / (std::string(name) + ".mp4"));
  for (const fs::path& clip : clips) {
    const auto source = open_frames(clip, 1);
    const auto all = read_all(*source);
    const auto threaded = read_all(*open_frames(clip, 4));
    for (int64_t i = source->frame_count() - 1; i >= 0; --i) {
      ASSERT_EQ(threaded[static_cast<size_t>(i)].rgb, all[static_cast<size_t>(i)].rgb) << clip << i;
      ASSERT_EQ(read_one(*source, i).rgb, all[static_cast<size_t>(i)].rgb) << clip << i;
    }
  }
}

TEST_F(FrameSourceTest, every_face_clip_has_the_frames_its_list_says) {
  const auto shared = testing::shared_dir();
  if (!shared) GTEST_SKIP() << "no ../shared beside the checkout";
  std::ifstream list(*shared / "data/faces/clips.csv");
  std::string line;
  std::getline(list, line);
  ASSERT_THAT(line, StartsWith("file,person,label,label_source,source_repo,source_path,start_s,"
                               "license,width,height,fps,frames"));
  int clips = 0;
  int64_t frames = 0;
  for (; std::getline(list, line); ++clips) {
    const auto source = open_frames(*shared / "data/faces" / line.substr(0, line.find(',')));
    const std::string count = "," + std::to_string(source->frame_count()) + ",";
    EXPECT_THAT(line, HasSubstr(",224,224,"));
    EXPECT_THAT(line, HasSubstr(count)) << "frame_count() is not in the list's line";
    frames += source->frame_count();
  }
  EXPECT_EQ(clips, 43);
  EXPECT_EQ(frames, 3588);
}

TEST_F(FrameSourceTest, a_stream_without_times_is_counted_by_decoding) {
  std::string stream;
  for (int i = 0; i < 20; ++i) {
    std::span<const uint8_t> jpeg = kRamp;
    if (i % 3 != 0) jpeg = kOtherRamp;
    stream.append(jpeg.begin(), jpeg.end());
  }
  testing::write_bytes(scratch_ / "a.mjpeg", stream);
  const auto source = open_frames(scratch_ / "a.mjpeg");
  ASSERT_EQ(source->frame_count(), 20);
  for (const int64_t index : {19, 18, 3, 0, 4})
    expect_near(pixel(read_one(*source, index), 0, 0),
                index % 3 == 0 ? Rgb{1, 2, 190} : Rgb{240, 4, 44}, 4);
}

TEST_F(FrameSourceTest, a_folder_gives_its_pictures_in_the_order_of_names) {
  fs::create_directory(scratch_ / "clip");
  write_png(scratch_ / "clip/b.png", make_image(16, 16, {2, 0, 0}));
  write_png(scratch_ / "clip/a.PNG", make_image(16, 16, {1, 0, 0}));
  testing::write_bytes(scratch_ / "clip/c.jpg", kRamp);
  testing::write_bytes(scratch_ / "clip/notes.txt", std::string("no picture"));
  const auto source = open_frames(scratch_ / "clip");
  ASSERT_EQ(source->frame_count(), 3);
  EXPECT_EQ(pixel(read_one(*source, 0), 0, 0), (Rgb{1, 0, 0}));
  EXPECT_EQ(pixel(read_one(*source, 1), 0, 0), (Rgb{2, 0, 0}));
  EXPECT_EQ(read_one(*source, 2).width, 24);
}

TEST_F(FrameSourceTest, one_picture_is_a_clip_of_16_equal_frames) {
  testing::write_bytes(scratch_ / "a.jpg", kRamp);
  const auto source = open_frames(scratch_ / "a.jpg");
  ASSERT_EQ(source->frame_count(), 16);
  const auto images = source->read(std::array<int64_t, 2>{0, 15});
  EXPECT_EQ(images[0].rgb, images[1].rgb);
  // Pillow gives these colours; decoders differ where chroma is interpolated.
  expect_near(pixel(images[0], 0, 0), {1, 2, 190}, 10);
  expect_near(pixel(images[0], 12, 8), {122, 119, 150}, 10);
  expect_near(pixel(images[0], 23, 15), {230, 223, 117}, 10);
}

TEST_F(FrameSourceTest, transparency_is_dropped) {
  testing::write_bytes(scratch_ / "a.png", kTransparentPng);
  EXPECT_EQ(pixel(read_one(*open_frames(scratch_ / "a.png"), 0), 8, 8), (Rgb{10, 200, 30}));
}

TEST_F(FrameSourceTest, what_is_not_there_or_not_a_clip_is_refused) {
  expect_refused("none.mp4", "no such file");
  testing::write_bytes(scratch_ / "empty.mp4", std::string());
  expect_refused("empty.mp4", "not a readable video");
  testing::write_bytes(scratch_ / "text.mp4", std::string("a.mp4 0\nb.mp4 0\n"));
  expect_refused("text.mp4", "not a readable video");
  testing::write_bytes(scratch_ / "list.mp4", std::string("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"));
  expect_refused("list.mp4", "not a readable video");
  testing::write_bytes(scratch_ / "page.png", std::string("<html>"));
  expect_refused("page.png", "neither a JPEG nor a PNG");
  testing::write_bytes(scratch_ / "empty.jpg", std::string());
  expect_refused("empty.jpg", "empty");
  fs::create_directory(scratch_ / "folder");
  expect_refused("folder", "holds no .jpg or .png frames");
  EXPECT_THAT(message("/dev/zero"), HasSubstr("not a regular file"));
}

TEST_F(FrameSourceTest, audio_alone_is_refused) {
  // One second of silence: 8000 8-bit samples.
  std::string wav(
      "RIFF\x64\x1f\0\0WAVEfmt "
      "\x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\x40\x1f\0\0",
      44);
  testing::write_bytes(scratch_ / "a.mp4", wav.append(8000, '\x80'));
  expect_refused("a.mp4", "no video stream");
}

TEST_F(FrameSourceTest, a_truncated_video_is_refused_wherever_it_ends) {
  testing::write_clip(scratch_ / "a.mp4", 40);
  const std::string bytes = testing::file_text(scratch_ / "a.mp4");
  for (const double part : {0.01, 0.3, 0.5, 0.9}) {
    testing::write_bytes(scratch_ / "cut.mp4",
                         bytes.substr(0, static_cast<size_t>(part * bytes.size())));
    expect_refused("cut.mp4", "");
  }
}

TEST_F(FrameSourceTest, a_video_whose_index_promises_more_than_there_is_is_refused) {
  const auto shared = testing::shared_dir();
  if (!shared) GTEST_SKIP() << "no ../shared beside the checkout";
  const std::string bytes = testing::file_text(*shared / "data/faces/crema1001_anger.mp4");
  ASSERT_LT(bytes.find("moov"), bytes.find("mdat")) << "this clip has its index in front";
  for (const double part : {0.3, 0.6, 0.95, 0.999}) {
    testing::write_bytes(scratch_ / "cut.mp4",
                         bytes.substr(0, static_cast<size_t>(part * bytes.size())));
    expect_refused("cut.mp4", "truncated or damaged");
  }
}

TEST_F(FrameSourceTest, a_video_without_frames_is_refused) {
  testing::write_clip(scratch_ / "a.mp4", 0);
  expect_refused("a.mp4", "");
}

TEST_F(FrameSourceTest, frames_too_small_or_too_large_are_refused) {
  testing::write_bytes(scratch_ / "dot.png", kDotPng);
  expect_refused("dot.png", "frames of 1x1 are too small");
  testing::write_bytes(scratch_ / "huge.png", kHugePng);
  expect_refused("huge.png", "");
  testing::write_clip(scratch_ / "small.mp4", 3, 8, 8);
  expect_refused("small.mp4", "frames of 8x8 are too small");
  EXPECT_THROW(check_frame_size("a", 8193, 16), Error);
  EXPECT_THROW(check_frame_size("a", 8000, 4000), Error);
  EXPECT_NO_THROW(check_frame_size("a", 4096, 4096));
}

TEST_F(FrameSourceTest, a_truncated_or_damaged_picture_is_refused) {
  for (const size_t left : {size_t{2}, size_t{100}, std::size(kRamp) - 2}) {
    testing::write_bytes(scratch_ / "a.jpg", std::span(kRamp).first(left));
    expect_refused("a.jpg", "");
  }
  testing::write_bytes(scratch_ / "a.png", std::span(kTransparentPng).first(70));
  expect_refused("a.png", "damaged");
  auto flipped = std::to_array(kTransparentPng);
  flipped[45] ^= 4;
  testing::write_bytes(scratch_ / "a.png", flipped);
  expect_refused("a.png", "damaged");
}

// Whatever the bytes, reading ends with pictures or an Error.
TEST_F(FrameSourceTest, damaged_files_never_crash_or_hang) {
  testing::write_clip(scratch_ / "a.mp4", 12);
  const std::string bytes = testing::file_text(scratch_ / "a.mp4");
  PhiloxStream random(9, 9);
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::string damaged = bytes;
    for (uint64_t i = 0; i <= random.below(20); ++i)
      damaged[random.below(damaged.size())] = static_cast<char>(random.next_u32());
    testing::write_bytes(scratch_ / "b.mp4", damaged);
    refused += message(scratch_ / "b.mp4") != "no error";
  }
  EXPECT_GT(refused, 5);
}

}  // namespace
}  // namespace grimace
