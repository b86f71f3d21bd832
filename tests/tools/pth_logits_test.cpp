// Models of full size, saved by PyTorch: a classifier answers here as it does there, and a whole
// run with its optimizer is read in seconds.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "backends/backend.h"
#include "ir/passes/passes.h"
#include "tests/testing.h"
#include "tools/model_source.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

// Writes model.pth and answer.pth, the video and its logits, into the folder it is given.
constexpr const char* kScript = R"(
import sys, torch
sys.path.insert(0, sys.argv[1])
from model import Classifier, mae_dfer
torch.manual_seed(3)
model = Classifier(mae_dfer()).eval()
video = torch.randn(1, 3, 16, 160, 160)
with torch.no_grad():
    logits = model(video)
torch.save({"model": model.state_dict(), "epoch": 99}, sys.argv[2] + "/model.pth")
torch.save({"video": video, "logits": logits}, sys.argv[2] + "/answer.pth")
)";

// Writes run.pth, a pre-training run as the authors' program saves it.
constexpr const char* kRunScript = R"(
import argparse, sys, torch
sys.path.insert(0, sys.argv[1])
from model import MaskedAutoencoder, mae_dfer
model = MaskedAutoencoder(mae_dfer())
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
for parameter in model.parameters():
    parameter.grad = torch.ones_like(parameter)
optimizer.step()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 49,
            "scaler": {"scale": 65536.0, "_growth_tracker": 12},
            "args": argparse.Namespace(lr=3e-4, opt_betas=[0.9, 0.95], clip_grad=None)},
           sys.argv[2] + "/run.pth")
)";

// GRIMACE_PEERS_PYTHON: a python3 that has torch.
const char* python() {
  return std::getenv("GRIMACE_PEERS_PYTHON");
}

void run_script(const char* script, const testing::ScratchDir& dir) {
  std::ofstream(dir / "write.py") << script;
  const std::string peers = testing::repository_dir() / "bench" / "peers";
  const std::string command =
      cat(python(), " ", (dir / "write.py").string(), " ", peers, " ", dir.path().string());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

int64_t most_kilobytes() {
  struct rusage usage {};
  EXPECT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  return usage.ru_maxrss;
}

TEST(PthImport, of_a_full_size_run_takes_seconds_and_less_memory_than_twice_the_file) {
  if (python() == nullptr) GTEST_SKIP() << "GRIMACE_PEERS_PYTHON names no python3 with torch";
  const testing::ScratchDir dir;
  ASSERT_NO_FATAL_FAILURE(run_script(kRunScript, dir));
  const int64_t before = most_kilobytes();
  // Processor time, which other programs on the machine do not lengthen.
  const std::clock_t start = std::clock();
  std::vector<Tensor> tensors;
  const Weights weights = open_weights(dir / "run.pth");
  for (const std::string& name : weights.names()) tensors.push_back(weights.tensor(name));
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_EQ(tensors.size(), 575u);
  EXPECT_LT(seconds, 5.0);
  const auto file = static_cast<int64_t>(std::filesystem::file_size(dir / "run.pth"));
  EXPECT_GT(file, 1'000'000'000);  // the moments are in it
  EXPECT_LE(most_kilobytes() - before, 2 * file / 1024);
  RecordProperty("milliseconds", static_cast<int>(seconds * 1000));
  RecordProperty("kilobytes", std::to_string(most_kilobytes() - before));
}

TEST(PthLogits, of_a_full_size_classifier_are_those_of_pytorch) {
  if (python() == nullptr) GTEST_SKIP() << "GRIMACE_PEERS_PYTHON names no python3 with torch";
  const testing::ScratchDir dir;
  ASSERT_NO_FATAL_FAILURE(run_script(kScript, dir));

  const Recipe recipe = open_model_source(dir / "model.pth").recipe("", {});
  EXPECT_EQ(recipe.model.name, "mae-dfer-classifier");
  auto graph = forward_graph(recipe, 1, false);
  run_passes(*graph, forward_passes());
  run_passes(*graph, training_passes());
  auto executable = make_backend("cpu")->compile(*graph, {});
  const NamedModel model{.config = model_config(recipe), .classifier = true};
  const LoadReport report =
      load_parameters(*executable, model, open_weights(dir / "model.pth"), LoadRule::all);
  EXPECT_EQ(report.matched.size(), 519u);

  const Weights answer = open_weights(dir / "answer.pth");
  executable->write("video", answer.tensor("video").view());
  executable->run();
  const Tensor logits = executable->read("logits");
  const Tensor wanted = answer.tensor("logits");
  double worst = 0.0;
  for (size_t i = 0; i < 7; ++i)
    worst = std::max<double>(worst, std::abs(logits.as<float>()[i] - wanted.as<float>()[i]));
  EXPECT_LT(worst, 1e-5);
  RecordProperty("worst", std::to_string(worst));
}

}  // namespace
}  // namespace grimace
