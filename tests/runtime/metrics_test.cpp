// metrics.jsonl: exact lines, and what a resumed run keeps of them.
#include "runtime/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

StepMetrics at(int64_t step) {
  return {.step = step, .epoch = step / 2, .loss = 0.5};
}

std::string lines(int64_t steps) {
  std::string text;
  for (int64_t step = 0; step < steps; ++step) text += to_json(at(step)) + "\n";
  return text;
}

TEST(Metrics, a_line_is_one_json_object_in_a_fixed_order) {
  EXPECT_EQ(to_json({.step = 12,
                     .epoch = 3,
                     .loss = 0.75,
                     .lr = 1.875e-4,
                     .grad_norm = 2.5,
                     .clips_per_s = 40.5,
                     .data_wait = 0.125}),
            R"({"step":12,"epoch":3,"loss":0.75,"lr":0.0001875,"grad_norm":2.5,)"
            R"("clips_per_s":40.5,"data_wait":0.125})");
}

TEST(Metrics, what_is_not_finite_becomes_null) {
  EXPECT_EQ(to_json({.loss = std::nan(""), .grad_norm = HUGE_VAL, .clips_per_s = -HUGE_VAL}),
            R"({"step":0,"epoch":0,"loss":null,"lr":0.0,"grad_norm":null,)"
            R"("clips_per_s":null,"data_wait":0.0})");
}

TEST(Metrics, lines_are_appended_at_once) {
  const testing::ScratchDir dir;
  MetricsWriter writer(dir / "m.jsonl", 0);
  EXPECT_EQ(testing::file_text(dir / "m.jsonl"), "");
  writer.append(to_json(at(0)));
  EXPECT_EQ(testing::file_text(dir / "m.jsonl"), lines(1));
  writer.append(to_json(at(1)));
  EXPECT_EQ(testing::file_text(dir / "m.jsonl"), lines(2));
}

TEST(Metrics, a_resumed_run_drops_the_steps_it_does_again) {
  const testing::ScratchDir dir;
  std::ofstream(dir / "m.jsonl") << lines(7);
  MetricsWriter writer(dir / "m.jsonl", 4);
  EXPECT_EQ(testing::file_text(dir / "m.jsonl"), lines(4));
  writer.append(to_json(at(4)));
  EXPECT_EQ(testing::file_text(dir / "m.jsonl"), lines(5));
}

TEST(Metrics, a_new_run_starts_an_empty_file) {
  const testing::ScratchDir dir;
  std::ofstream(dir / "m.jsonl") << lines(7);
  MetricsWriter writer(dir / "m.jsonl", 0);
  EXPECT_EQ(testing::file_text(dir / "m.jsonl"), "");
}

TEST(Metrics, an_unfinished_or_damaged_tail_is_cut_off) {
  const testing::ScratchDir dir;
  for (const std::string& tail :
       {std::string("{\"step\":3,\"ep"), to_json(at(3)), std::string(100, '\0') + "\n",
        std::string("{\"step\":\"x\"}\n"), std::string("7\n")}) {
    std::ofstream(dir / "m.jsonl") << lines(3) << tail;
    const MetricsWriter writer(dir / "m.jsonl", 10);
    EXPECT_EQ(testing::file_text(dir / "m.jsonl"), lines(3)) << tail;
  }
}

TEST(Metrics, a_file_that_cannot_be_written_is_a_run_error) {
  const testing::ScratchDir dir;
  EXPECT_THROW(MetricsWriter(dir / "no/m.jsonl", 0), RunError);
  EXPECT_THROW(MetricsWriter(dir.path(), 0), RunError);
}

}  // namespace
}  // namespace grimace
