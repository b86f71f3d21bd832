#include "data/frame_stream.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "data/frame_source.h"
#include "ir/error.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;

class FrameStreamTest : public ::testing::Test {
 protected:
  // The frames as a stream are those that open_frames has.
  void expect_same(FrameStream& stream, const std::filesystem::path& clip) {
    const auto frames = open_frames(clip);
    int64_t count = 0;
    for (; stream.next(); ++count) {
      ASSERT_LT(count, frames->frame_count());
      const int64_t wanted[] = {count};
      EXPECT_EQ(stream.image().rgb, frames->read(wanted).front().rgb) << count;
      EXPECT_NEAR(stream.seconds(), static_cast<double>(count) / 25, 1e-6);
    }
    EXPECT_EQ(count, frames->frame_count());
    EXPECT_EQ(stream.frames_per_second(), 25);
  }
  std::string refusal(int fd) {
    return testing::error_of([&] { open_video_stream(fd, {}); });
  }
  testing::ScratchDir scratch_;
};

TEST_F(FrameStreamTest, a_video_has_all_its_frames_in_order) {
  testing::write_clip(scratch_ / "a.mp4", 30);
  expect_same(*open_frame_stream(scratch_ / "a.mp4", {}), scratch_ / "a.mp4");
}

TEST_F(FrameStreamTest, a_folder_has_the_rate_it_is_given) {
  const auto folder = scratch_ / "frames";
  std::filesystem::create_directory(folder);
  for (int i = 0; i < 3; ++i)
    write_png(folder / cat("f", i, ".png"), testing::moving_bar(64, 48, i));
  expect_same(*open_frame_stream(folder, {.frames_per_second = 25}), folder);
}

TEST_F(FrameStreamTest, an_open_file_is_read_from_front_to_end) {
  const auto shared = testing::shared_dir();
  if (!shared) GTEST_SKIP() << "no shared data: its clips have their index in front";
  const auto clip = *shared / "data/faces/full/grid_lbax4n_360x288.mp4";
  const int fd = open(clip.c_str(), O_RDONLY);
  expect_same(*open_video_stream(fd, {}), clip);
  close(fd);
}

TEST_F(FrameStreamTest, nothing_piped_in_is_refused) {
  const int fd = open("/dev/null", O_RDONLY);
  EXPECT_THAT(refusal(fd), HasSubstr("standard input: not a readable video"));
  close(fd);
}

TEST_F(FrameStreamTest, a_pipe_that_says_nothing_is_left_when_asked_to_stop) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::atomic<bool> stop = false;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop = true;
  });
  EXPECT_THROW(open_video_stream(ends[0], {.stop = &stop}), Error);
  later.join();
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace grimace
