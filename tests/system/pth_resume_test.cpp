// Leaving for PyTorch in the middle of a run and coming back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "runtime/weights.h"
#include "tests/system/tiny_run.h"

namespace grimace::testing {
namespace {

using ::testing::HasSubstr;

// A run that also kept its sixth step, and that step as a .pth file.
struct Halfway {
  ScratchDir dir;
  Halfway() {
    pretrain_well(dir / "whole", {"--set", "run.save_every_steps=6"});
    EXPECT_EQ(run_grimace({"convert", checkpoint(dir / "whole", 6), dir / "half.pth"}).exit_code,
              0);
  }
};

TEST(PthResume, a_run_that_went_through_a_pth_file_ends_with_the_same_parameters) {
  const Halfway half;
  const Outcome resumed = pretrain_well(half.dir / "resumed", {"--resume", half.dir / "half.pth"});
  EXPECT_THAT(resumed.err, HasSubstr("step 6"));
  expect_same_tensors(checkpoint(half.dir / "whole", 6), checkpoint(half.dir / "resumed", 6));
  expect_same_tensors(checkpoint(half.dir / "whole", 12), checkpoint(half.dir / "resumed", 12));
}

TEST(PthResume, needs_the_moments) {
  const Halfway half;
  EXPECT_EQ(run_grimace({"convert", "--only", "model", half.dir / "half.pth", half.dir / "w.pth"})
                .exit_code,
            0);
  const Outcome outcome =
      run_grimace(pretrain(half.dir / "resumed", {"--resume", half.dir / "w.pth"}));
  expect_refused(outcome, "w.pth");
  EXPECT_THAT(outcome.err, HasSubstr("has no optimizer state for mask_token"));
}

TEST(PthResume, comes_back_from_pytorch_after_a_step_there) {
  const char* python = std::getenv("GRIMACE_PEERS_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "GRIMACE_PEERS_PYTHON names no python3 with torch";
  const Halfway half;
  std::ofstream(half.dir / "step.py") << R"py(
import sys, torch
file = torch.load(sys.argv[1] + "/half.pth", weights_only=True)
saved = file["optimizer"]
params = {name: torch.nn.Parameter(value) for name, value in file["model"].items()}
plain = [n for n, p in params.items() if p.ndim == 1 or n.endswith(".bias") or n == "mask_token"]
rest = [n for n in params if n not in plain]
groups = [{"params": [params[n] for n in names]} for names in (plain, rest)]
optimizer = torch.optim.AdamW(groups, lr=123.0)
optimizer.load_state_dict(saved)
assert optimizer.param_groups[0]["weight_decay"] == 0.0
assert optimizer.param_groups[1]["weight_decay"] == 0.05
assert optimizer.param_groups[1]["betas"] == (0.9, 0.95)
assert optimizer.param_groups[1]["lr"] == 0.032 * 8 / 256
for p in params.values():
    assert optimizer.state[p]["exp_avg"].shape == p.shape
    assert optimizer.state[p]["step"].item() == 6
    p.grad = torch.zeros_like(p)
before = optimizer.state[params["encoder.norm.bias"]]["exp_avg"].clone()
optimizer.step()
assert torch.allclose(optimizer.state[params["encoder.norm.bias"]]["exp_avg"], 0.9 * before)
assert optimizer.state[params["mask_token"]]["step"].item() == 7
torch.save({"model": {n: p.detach() for n, p in params.items()},
            "optimizer": optimizer.state_dict(), "epoch": 1}, sys.argv[1] + "/theirs.pth")
)py";
  const std::string command =
      cat(python, " ", (half.dir / "step.py").string(), " ", half.dir.path().string());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  pretrain_well(half.dir / "on", {"--resume", half.dir / "theirs.pth"});
  const Weights theirs = open_weights(half.dir / "theirs.pth");
  const Weights ours = open_weights(checkpoint(half.dir / "on", 6));
  EXPECT_EQ(ours.tensor("state.step").as<int64_t>()[0], 7);
  for (const char* name : {"mask_token", "optimizer.exp_avg.encoder.norm.bias",
                           "optimizer.exp_avg_sq.decoder.head.weight"}) {
    const Tensor a = theirs.tensor(name), b = ours.tensor(name);
    ASSERT_EQ(a.type(), b.type()) << name;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())), 0) << name;
  }
  EXPECT_TRUE(std::filesystem::exists(checkpoint(half.dir / "on", 12)));
}

}  // namespace
}  // namespace grimace::testing
