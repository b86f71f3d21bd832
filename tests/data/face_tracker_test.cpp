#include "data/face_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace grimace {
namespace {

Face face(float x, float y = 100, float side = 50, double score = 1) {
  return {{x, y, side, side}, score};
}

// The people seen in the last look, as (person, left edge).
std::vector<std::pair<int64_t, float>> seen(const FaceTracker& tracker) {
  std::vector<std::pair<int64_t, float>> people;
  for (const FaceTrack& track : tracker.tracks())
    if (track.missed == 0) people.emplace_back(track.person, std::round(track.box.x));
  return people;
}

void look(FaceTracker& tracker, const std::vector<Face>& faces, int times = 1) {
  for (int i = 0; i < times; ++i) tracker.look(faces);
}

using People = std::vector<std::pair<int64_t, float>>;

TEST(FaceTracker, numbers_people_in_the_order_in_which_they_appear) {
  FaceTracker tracker;
  look(tracker, {face(300)}, 2);
  look(tracker, {face(100), face(300)}, 2);
  EXPECT_EQ(seen(tracker), (People{{1, 300}, {2, 100}}));
}

TEST(FaceTracker, keeps_the_numbers_of_people_who_move_past_each_other_in_height) {
  FaceTracker tracker;
  for (int i = 0; i < 20; ++i)
    look(tracker, {face(100.0f + 15 * static_cast<float>(i), 40),
                   face(400.0f - 15 * static_cast<float>(i), 200)});
  ASSERT_EQ(tracker.tracks().size(), 2u);
  EXPECT_GT(tracker.tracks()[0].box.x, 350);
  EXPECT_EQ(tracker.tracks()[0].person, 1);
  EXPECT_LT(tracker.tracks()[1].box.x, 150);
}

TEST(FaceTracker, knows_a_person_again_after_a_gap_and_forgets_after_a_long_one) {
  FaceTracker tracker({.forget = 12});
  look(tracker, {face(100)}, 2);
  look(tracker, {}, 12);
  look(tracker, {face(110)});
  EXPECT_EQ(seen(tracker), (People{{1, 110}}));
  look(tracker, {}, 13);
  look(tracker, {face(110)}, 2);
  EXPECT_EQ(seen(tracker), (People{{2, 110}}));
}

TEST(FaceTracker, takes_what_was_seen_once_for_noise) {
  FaceTracker tracker({.hold = 3});
  look(tracker, {face(100)});
  look(tracker, {}, 4);
  EXPECT_TRUE(tracker.tracks().empty());
  look(tracker, {face(500)}, 2);
  EXPECT_EQ(seen(tracker), (People{{1, 500}}));
}

TEST(FaceTracker, lets_a_faint_face_go_on_but_not_begin) {
  FaceTracker tracker;
  look(tracker, {face(100, 100, 50, -0.2)}, 3);
  EXPECT_TRUE(tracker.tracks().empty());
  look(tracker, {face(100)}, 2);
  look(tracker, {face(100, 100, 50, -0.2)});
  EXPECT_EQ(seen(tracker), (People{{1, 100}}));
}

TEST(FaceTracker, does_not_count_a_face_twice_that_is_found_at_two_scales) {
  FaceTracker tracker;
  look(tracker, {face(100), face(80, 80, 100)}, 3);
  EXPECT_EQ(tracker.tracks().size(), 1u);
}

TEST(FaceTracker, smooths_a_box_that_jumps) {
  FaceTracker tracker;
  look(tracker, {face(100)}, 4);
  float most = 0;
  for (int i = 0; i < 20; ++i) {
    look(tracker, {i % 2 ? face(100, 100, 50) : face(96, 96, 60)});
    most = std::max(most, std::abs(tracker.tracks()[0].box.width - 55));
  }
  EXPECT_LT(most, 5);
  EXPECT_LT(std::abs(tracker.tracks()[0].box.width - 55), 2);
}

TEST(FaceTracker, follows_a_box_that_moves) {
  FaceTracker tracker;
  for (int i = 0; i < 30; ++i) look(tracker, {face(100 + 10 * static_cast<float>(i))});
  EXPECT_NEAR(tracker.tracks()[0].box.x, 390, 11);  // one look behind
}

TEST(FaceTracker, remembers_no_more_than_who_was_here_lately) {
  FaceTracker tracker;
  for (int i = 0; i < 1000; ++i) look(tracker, {face(static_cast<float>(i / 2 % 40) * 200)});
  EXPECT_LE(tracker.tracks().size(), 8u);
}

}  // namespace
}  // namespace grimace
