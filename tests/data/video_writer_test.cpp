#include "data/video_writer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <numeric>

#include "data/video_reader.h"
#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using testing::error_of;

namespace fs = std::filesystem;

// A bright square that walks over a dark gradient.
Image frame(int i) {
  Image image = make_image(64, 48, {});
  for (int y = 0; y < 48; ++y)
    for (int x = 0; x < 64; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb[(static_cast<size_t>(y) * 64 + x) * 3 + c] = static_cast<uint8_t>(x + y + 10 * c);
  paste(image, make_image(16, 16, {220, 180, 60}), 2 * i, 16);
  return image;
}

void write(const fs::path& path, int frames) {
  VideoWriter writer(path, 64, 48, 25);
  for (int i = 0; i < frames; ++i) writer.add(frame(i));
  writer.finish();
}

TEST(VideoWriter, every_frame_reads_back_close_to_what_was_written) {
  const testing::ScratchDir scratch;
  write(scratch / "clip.mp4", 20);
  const auto reader = open_video(scratch / "clip.mp4", 1);
  ASSERT_EQ(reader->frame_count(), 20);
  std::vector<int64_t> indices(20);
  std::iota(indices.begin(), indices.end(), 0);
  const std::vector<Image> frames = reader->read(indices);
  for (int i = 0; i < 20; ++i) {
    const Image expected = frame(i);
    ASSERT_EQ(frames[i].rgb.size(), expected.rgb.size());
    double error = 0;
    for (size_t k = 0; k < expected.rgb.size(); ++k)
      error += std::abs(frames[i].rgb[k] - expected.rgb[k]);
    EXPECT_LT(error / static_cast<double>(expected.rgb.size()), 6.0) << "frame " << i;
  }
}

TEST(VideoWriter, the_same_frames_give_the_same_bytes) {
  const testing::ScratchDir scratch;
  write(scratch / "a.mp4", 12);
  write(scratch / "b.mp4", 12);
  EXPECT_GT(fs::file_size(scratch / "a.mp4"), 500u);
  EXPECT_EQ(testing::file_text(scratch / "a.mp4"), testing::file_text(scratch / "b.mp4"));
}

TEST(VideoWriter, without_finish_nothing_is_left_behind) {
  const testing::ScratchDir scratch;
  {
    VideoWriter writer(scratch / "clip.mp4", 64, 48, 25);
    writer.add(frame(0));
    EXPECT_FALSE(fs::exists(scratch / "clip.mp4"));
  }
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

TEST(VideoWriter, a_name_is_never_a_protocol_and_a_place) {
  const testing::ScratchDir scratch;
  write(scratch / "12:30.mp4", 2);
  EXPECT_EQ(open_video(scratch / "12:30.mp4", 1)->frame_count(), 2);
  const fs::path before = fs::current_path();
  fs::current_path(scratch.path());
  write("a:b.mp4", 2);
  fs::current_path(before);
  EXPECT_EQ(open_video(scratch / "a:b.mp4", 1)->frame_count(), 2);
}

TEST(VideoWriter, a_pipe_is_not_replaced) {
  const testing::ScratchDir scratch;
  ASSERT_EQ(mkfifo((scratch / "v.mp4").c_str(), 0600), 0);
  EXPECT_THROW(write(scratch / "v.mp4", 2), RunError);
  EXPECT_TRUE(fs::is_fifo(scratch / "v.mp4"));
}

TEST(VideoWriter, bad_sizes_and_places_are_named) {
  const testing::ScratchDir scratch;
  EXPECT_NE(error_of([&] {
              VideoWriter(scratch / "v.mp4", 63, 48, 25);
            }).find("video sides must be even and in 2..8192; got 63 x 48"),
            std::string::npos);
  EXPECT_NE(error_of([&] { VideoWriter(scratch / "v.mp4", 64, 48, 0); }).find("got 0"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              VideoWriter(scratch / "no" / "v.mp4", 64, 48, 25);
            }).find("no/v.mp4: cannot write here: No such file"),
            std::string::npos);
  VideoWriter writer(scratch / "v.mp4", 64, 48, 25);
  EXPECT_NE(error_of([&] {
              writer.add(make_image(32, 48, {}));
            }).find("frame 0 is 32 x 48; expected 64 x 48"),
            std::string::npos);
}

}  // namespace
}  // namespace grimace
