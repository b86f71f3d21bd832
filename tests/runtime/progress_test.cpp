// Progress: the exact text in every mode, when lines are due, and the lines that reach stderr.
#include "runtime/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/error.h"
#include "runtime/log.h"

namespace grimace {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

ProgressState sample() {
  return {.step = 250,
          .steps = 1000,
          .epoch = 2,
          .epochs = 10,
          .loss = 0.86437,
          .lr = 1.875e-4,
          .clips_per_s = 45.25,
          .data_wait = 0.034,
          .eta_seconds = 7503.0};
}

TEST(Progress, a_plain_line_says_all_there_is) {
  EXPECT_EQ(format_plain(sample()),
            "epoch 3/10  step 250/1000  loss 0.8644  lr 1.875e-04  45.2 clips/s  data wait 3%  "
            "ETA 2h05m");
}

TEST(Progress, the_bar_takes_the_room_that_the_text_leaves) {
  const std::string text =
      " 25%  epoch 3/10  step 250/1000  loss 0.8644  lr 1.875e-04  45.2 clips/s  data wait 3%  "
      "ETA 2h05m";
  EXPECT_EQ(format_bar(sample(), 200), "[##########..............................] " + text);
  EXPECT_EQ(format_bar(sample(), static_cast<int>(text.size()) + 1 + 3 + 8), "[##......] " + text);
  EXPECT_EQ(format_bar(sample(), static_cast<int>(text.size()) + 1 + 3 + 7), text);
  EXPECT_EQ(format_bar(sample(), 20), text.substr(0, 19));
  EXPECT_EQ(format_bar(sample(), 0), "");
}

TEST(Progress, the_bar_is_empty_at_first_and_full_at_last) {
  ProgressState state = sample();
  state.step = 0;
  EXPECT_THAT(format_bar(state, 300), ::testing::StartsWith("[" + std::string(40, '.') + "]   0%"));
  state.step = 1000;
  EXPECT_THAT(format_bar(state, 300), ::testing::StartsWith("[" + std::string(40, '#') + "] 100%"));
  state.steps = 0;
  EXPECT_THAT(format_bar(state, 300), ::testing::StartsWith("[" + std::string(40, '.')));
}

TEST(Progress, a_json_line_is_for_programs) {
  ProgressState state = sample();
  EXPECT_EQ(format_json(state),
            R"({"step":250,"steps":1000,"epoch":2,"epochs":10,"loss":0.86437,"lr":0.0001875,)"
            R"("clips_per_s":45.25,"data_wait":0.034,"eta_seconds":7503.0})");
  state.loss = std::nan("");
  state.eta_seconds.reset();
  EXPECT_THAT(format_json(state), ::testing::HasSubstr(R"("loss":null)"));
  EXPECT_THAT(format_json(state), ::testing::HasSubstr(R"("eta_seconds":null)"));
}

TEST(Progress, durations_are_short) {
  EXPECT_EQ(format_duration(0.4), "0s");
  EXPECT_EQ(format_duration(59.4), "59s");
  EXPECT_EQ(format_duration(59.6), "1m00s");
  EXPECT_EQ(format_duration(725), "12m05s");
  EXPECT_EQ(format_duration(7503), "2h05m");
  EXPECT_EQ(format_duration(86400 * 3 + 4 * 3600), "3d04h");
  for (const double odd : {-1.0, std::nan(""), HUGE_VAL, 1e300})
    EXPECT_EQ(format_duration(odd), "?");
  EXPECT_EQ(format_duration(std::nullopt), "?");
}

TEST(Progress, lines_are_due_first_last_and_now_and_then) {
  ProgressTimer timer(ProgressMode::plain);
  const auto due = [&](int64_t step, double now) {
    return timer.due({.step = step, .steps = 100}, now);
  };
  EXPECT_TRUE(due(1, 0.0));
  EXPECT_FALSE(due(2, 9.9));
  EXPECT_TRUE(due(3, 10.0));
  EXPECT_FALSE(due(4, 19.9));
  EXPECT_TRUE(due(100, 19.95));
}

TEST(Progress, remaining_time_follows_the_mean_speed_since_the_start_or_resume) {
  EtaClock clock;
  EXPECT_EQ(clock.remaining(50, 100, 1000.0), std::nullopt);
  EXPECT_EQ(clock.remaining(60, 100, 1020.0), 80.0);
  EXPECT_EQ(clock.remaining(100, 100, 1100.0), 0.0);
  EXPECT_EQ(clock.remaining(120, 100, 1100.0), 0.0);
}

TEST(Progress, modes_are_named) {
  EXPECT_EQ(progress_mode_from("auto"), ProgressMode::automatic);
  EXPECT_EQ(progress_mode_from("bar"), ProgressMode::bar);
  EXPECT_EQ(progress_mode_from("plain"), ProgressMode::plain);
  EXPECT_EQ(progress_mode_from("json"), ProgressMode::json);
  EXPECT_THROW(progress_mode_from("fancy"), Error);
}

TEST(Progress, plain_goes_to_stderr_and_json_to_stdout) {
  CaptureStderr();
  { ProgressDisplay(ProgressMode::plain).update(sample()); }
  EXPECT_EQ(GetCapturedStderr(),
            "epoch 3/10  step 250/1000  loss 0.8644  lr 1.875e-04  45.2 clips/s  data wait 3%  "
            "ETA ?\n");
  CaptureStdout();
  { ProgressDisplay(ProgressMode::json).update(sample()); }
  EXPECT_THAT(GetCapturedStdout(), ::testing::AllOf(::testing::StartsWith("{\"step\":250,"),
                                                    ::testing::EndsWith("}\n")));
}

TEST(Log, a_warning_goes_above_the_status_line) {
  CaptureStderr();
  show_status("[#.]");
  warn("a.mp4: cannot be read");
  end_status();
  inform("done");
  end_status();
  EXPECT_EQ(GetCapturedStderr(),
            "\r\x1b[K[#.]"
            "\r\x1b[Kwarning: a.mp4: cannot be read\n[#.]"
            "\n"
            "done\n");
}

TEST(Log, hidden_control_characters_cannot_reach_the_terminal) {
  CaptureStderr();
  inform("evil\x1b[2J\nname\x7f ü");
  EXPECT_EQ(GetCapturedStderr(), "evil?[2J?name? ü\n");
}

}  // namespace
}  // namespace grimace
