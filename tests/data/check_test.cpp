#include "data/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;

TEST(CheckList, names_every_bad_clip_in_the_lists_order) {
  const testing::ScratchDir scratch;
  testing::write_clip(scratch / "good.mp4", 30);
  const std::string bytes = testing::file_text(scratch / "good.mp4");
  testing::write_bytes(scratch / "cut.mp4", bytes.substr(0, bytes.size() / 2));
  testing::write_bytes(scratch / "list.csv",
                       std::string("good.mp4 0\nmissing.mp4 0\n# x\ngood.mp4 0\ncut.mp4 0\n"));
  const ListFile list = read_list(scratch / "list.csv");
  for (const int workers : {1, 3}) {
    int64_t done = 0;
    const auto bad = check_list(list, {}, workers, [&](int64_t clips) { done = clips; });
    EXPECT_EQ(done, 4);
    ASSERT_EQ(bad.size(), 2u);
    EXPECT_EQ(bad[0].path, scratch / "missing.mp4");
    EXPECT_EQ(bad[0].line, 2);
    EXPECT_THAT(bad[0].reason, HasSubstr("missing.mp4: no such file"));
    EXPECT_EQ(bad[1].path, scratch / "cut.mp4");
    EXPECT_EQ(bad[1].line, 5);
  }
}

TEST(CheckList, finds_frames_too_small_for_the_voxceleb2_box) {
  const testing::ScratchDir scratch;
  testing::write_clip(scratch / "a.mp4", 5);
  testing::write_bytes(scratch / "list.csv", std::string("a.mp4 0\n"));
  const ListFile list = read_list(scratch / "list.csv");
  EXPECT_TRUE(check_list(list, {}).empty());
  const auto bad = check_list(list, {.voxceleb2 = true});
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_THAT(bad[0].reason, HasSubstr("a.mp4: frames of 64x48 are too small"));
}

TEST(CheckList, finds_nothing_bad_among_the_face_clips) {
  const auto shared = testing::shared_dir();
  if (!shared) GTEST_SKIP() << "no ../shared beside the checkout";
  const ListFile list = read_list(*shared / "data/faces/clips.csv");
  EXPECT_TRUE(check_list(list, {}, 2).empty());
}

}  // namespace
}  // namespace grimace
