// The detector and everything behind it on real clips.
#include "data/face_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "data/face_windows.h"
#include "data/frame_stream.h"
#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

// The people found in a clip, 0 for times without a face.
std::multiset<int64_t> people(const std::filesystem::path& clip) {
  std::multiset<int64_t> found;
  const auto detector = make_face_detector({});
  FaceWindows windows({}, detector.get(),
                      [&](const FaceWindow& window) { found.insert(window.person); });
  const auto frames = open_frame_stream(clip, {});
  while (frames->next())
    windows.add(frames->seconds(), 1 / frames->frames_per_second(),
                [&] { return frames->image(); });
  windows.finish();
  return found;
}

class RealFaces : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_face_detector()) GTEST_SKIP() << "built without dlib: no face is looked for";
    const auto shared = testing::shared_dir();
    if (!shared) GTEST_SKIP() << "no shared data: faces are not looked for in real clips";
    clips_ = *shared / "data" / "faces" / "full";
  }
  std::filesystem::path clips_;
};

TEST_F(RealFaces, three_people_are_three) {
  EXPECT_EQ(people(clips_ / "walk3_pause_480x270.mp4"), (std::multiset<int64_t>{1, 2, 3}));
}

TEST_F(RealFaces, one_person_is_one_from_the_first_frame_to_the_last) {
  for (const char* clip : {"asl_a_help_640x480.mp4", "crema1001_happiness_480x360.mp4"})
    EXPECT_EQ(people(clips_ / clip), (std::multiset<int64_t>{1})) << clip;
  EXPECT_EQ(people(clips_ / "grid_lbax4n_360x288.mp4"), (std::multiset<int64_t>{1, 1}));
}

TEST_F(RealFaces, a_film_title_has_none) {
  EXPECT_EQ(people(clips_ / "no_face_960x540.mp4"), (std::multiset<int64_t>{0, 0}));
}

TEST(FaceDetector, refuses_a_smallest_face_out_of_range) {
  if (!has_face_detector()) GTEST_SKIP() << "built without dlib";
  EXPECT_THROW(make_face_detector({.min_face = 0}), Error);
  EXPECT_THROW(make_face_detector({.min_face = 2}), Error);
}

TEST(FaceDetector, looks_at_pictures_of_any_size) {
  if (!has_face_detector()) GTEST_SKIP() << "built without dlib";
  const auto detector = make_face_detector({.min_face = 0.5});
  for (const auto& [width, height] : {std::pair{1, 1}, {16, 16}, {2000, 3}, {17, 900}})
    EXPECT_TRUE(detector->find(make_image(width, height, {90, 90, 90})).empty());
}

}  // namespace
}  // namespace grimace
