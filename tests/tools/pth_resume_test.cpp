// A PyTorch file taken as a checkpoint: where in a run it is, and that a bad one leaves nothing.
#include "tools/pth_resume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/pth.h"
#include "tests/testing.h"

namespace grimace::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr int64_t kStepsPerEpoch = 10;

class ImportPthTest : public ::testing::Test {
 protected:
  std::vector<ParamSpec> params_{{.name = "w", .shape = Shape{2, 3}, .init = {}, .alias_of = {}}};
  const Tensor values_{DType::f32, {2, 3}};

  // `steps` are the optimizer's.
  std::filesystem::path file(const Metadata& metadata, double steps) {
    const Tensor step = Tensor::from<double>({}, std::span(&steps, 1));
    const std::vector<NamedView> tensors{{"w", values_.view()},
                                         {"optimizer.exp_avg.w", values_.view()},
                                         {"optimizer.exp_avg_sq.w", values_.view()},
                                         {"state.step", step.view()}};
    save_pth(dir_ / "theirs.pth", tensors, metadata);
    return dir_ / "theirs.pth";
  }
  Checkpoint import(const Metadata& metadata, double steps) {
    std::filesystem::create_directory(out_);
    return import_pth(file(metadata, steps), Recipe(), params_, kStepsPerEpoch, out_);
  }
  std::string refusal(const Metadata& metadata, double steps) {
    try {
      import_pth(file(metadata, steps), Recipe(), params_, kStepsPerEpoch, out_);
    } catch (const Error& error) {
      EXPECT_FALSE(std::filesystem::exists(out_)) << error.what();
      return error.what();
    }
    return "no error";
  }

  const ScratchDir dir_;
  const std::filesystem::path out_ = dir_ / "run";
};

int64_t updates_in(const Checkpoint& checkpoint) {
  return checkpoint.file.tensor("state.step").as<int64_t>()[0];
}

// Steps without an update, of scaled half precision, are steps of the schedule (spec 6).
TEST_F(ImportPthTest, another_program_s_file_is_at_the_end_of_its_epoch) {
  const Checkpoint checkpoint = import({{"epoch", "4"}}, 48);
  EXPECT_EQ(checkpoint.info.step, 50);
  EXPECT_EQ(checkpoint.info.epoch, 5);
  EXPECT_EQ(updates_in(checkpoint), 48);
}

TEST_F(ImportPthTest, without_an_epoch_the_optimizer_s_steps_count) {
  EXPECT_EQ(import({}, 48).info.step, 48);
}

TEST_F(ImportPthTest, a_file_of_ours_says_its_step) {
  const Checkpoint checkpoint =
      import({{"format", "grimace-checkpoint"}, {"epoch", "4"}, {"step", "47"}}, 45);
  EXPECT_EQ(checkpoint.info.step, 47);
  EXPECT_EQ(updates_in(checkpoint), 45);
}

TEST_F(ImportPthTest, says_where_optimizer_and_schedule_disagree) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(import({{"epoch", "4"}}, 200).info.step, 50);
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      HasSubstr("its 5 epochs are 50 steps with this list and batch size, but its optimizer "
                "has done 200; the schedule continues at step 50"));
}

TEST_F(ImportPthTest, the_best_epoch_is_no_place_in_a_run) {
  EXPECT_THAT(refusal({{"epoch", "best"}}, 48),
              HasSubstr("its epoch is \"best\", which tells no place in a run; start from its "
                        "weights: --init"));
  EXPECT_THAT(refusal({{"epoch", "999999999999"}}, 48), HasSubstr("tells no place"));
}

TEST_F(ImportPthTest, steps_that_are_none_are_refused) {
  for (const double steps : {-1.0, 0.5, 1e15, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()})
    EXPECT_THAT(refusal({}, steps), HasSubstr("expected a number of steps")) << steps;
}

TEST_F(ImportPthTest, other_shapes_are_refused) {
  params_[0].shape = Shape{3, 2};
  EXPECT_THAT(refusal({}, 48),
              EndsWith("theirs.pth: w is f32[2x3] but this model's is [3x2]; it is a "
                       "checkpoint of another architecture"));
}

}  // namespace
}  // namespace grimace::testing
