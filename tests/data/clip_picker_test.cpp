// What makes a clip unreadable, and what ends a run instead.
#include "data/clip_picker.h"

#include <gtest/gtest.h>

#include <new>

#include "ir/error.h"

namespace grimace {
namespace {

ListFile two_clips() {
  return {"list.csv", {{"a.mp4", std::nullopt, 1}, {"b.mp4", std::nullopt, 2}}};
}

TEST(BadClips, whatever_reading_one_clip_fails_of_is_that_clips_reason) {
  const ListFile list = two_clips();
  const auto reason = [&](const std::function<void()>& load) {
    return BadClips(list, {}).try_load(1, load);
  };
  EXPECT_EQ(reason([] {}), std::nullopt);
  EXPECT_EQ(reason([] { throw Error("b.mp4: damaged"); }), "b.mp4: damaged");
  EXPECT_EQ(reason([] { throw RunError("cannot read b.mp4"); }), "cannot read b.mp4");
  EXPECT_EQ(reason([] { throw std::bad_alloc(); }), "b.mp4: there is not enough memory to read it");
}

TEST(BadClips, our_own_mistake_is_no_clips) {
  const ListFile list = two_clips();
  BadClips bad(list, {});
  EXPECT_THROW(bad.try_load(0, [] { throw InternalError("frame 3 of 2"); }), InternalError);
}

TEST(BadClips, a_clip_that_failed_is_not_tried_again) {
  const ListFile list = two_clips();
  BadClips bad(list, {});
  int tries = 0;
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(bad.try_load(0,
                           [&] {
                             ++tries;
                             throw RunError("x");
                           }),
              "x");
  EXPECT_EQ(tries, 1);
}

}  // namespace
}  // namespace grimace
