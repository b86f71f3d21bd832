// pretrain --profile: a trace of some steps of a real run, which it leaves as it is.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/system/tiny_run.h"

namespace grimace::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProfiledRun, writes_a_trace_and_where_the_time_went_and_trains_the_same) {
  const ScratchDir scratch;
  pretrain_well(scratch / "plain");
  const Outcome outcome =
      pretrain_well(scratch / "profiled", {"--profile", scratch / "trace.json"});
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("half of 3 steps"), HasSubstr("grad/encoder/blocks/mlp"),
                    HasSubstr("optimizer"), HasSubstr("of roofline"), HasSubstr("trace.json")));
  std::ifstream file(scratch / "trace.json");
  const auto events = nlohmann::json::parse(file)["traceEvents"];
  EXPECT_EQ(std::ranges::count_if(events, [](const auto& e) { return e["name"] == "adamw"; }) % 3,
            0);
  expect_same_tensors(checkpoint(scratch / "plain", 12), checkpoint(scratch / "profiled", 12));
  expect_same_losses(metrics(scratch / "plain"), metrics(scratch / "profiled"));
}

TEST(ProfiledRun, says_when_it_was_too_short) {
  const ScratchDir scratch;
  const Words words{"--profile", scratch / "trace.json"};
  const Outcome brief = pretrain_well(scratch / "run", words + Words{"--dry-run", "4"});
  EXPECT_THAT(brief.err, HasSubstr("--profile: the run ended before batch 5"));
  EXPECT_FALSE(std::filesystem::exists(scratch / "trace.json"));
  const Outcome enough = pretrain_well(scratch / "run", words + Words{"--dry-run", "5"});
  EXPECT_THAT(enough.err, Not(HasSubstr("ended before")));
  EXPECT_TRUE(std::filesystem::exists(scratch / "trace.json"));
}

}  // namespace
}  // namespace grimace::testing
