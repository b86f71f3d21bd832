// A classifier of full size, saved by PyTorch, answers here as it does there.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
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

// GRIMACE_PEERS_PYTHON: a python3 that has torch.
TEST(PthLogits, of_a_full_size_classifier_are_those_of_pytorch) {
  const char* python = std::getenv("GRIMACE_PEERS_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "GRIMACE_PEERS_PYTHON names no python3 with torch";
  const testing::ScratchDir dir;
  std::ofstream(dir / "write.py") << kScript;
  const std::string peers = testing::repository_dir() / "bench" / "peers";
  const std::string command =
      cat(python, " ", (dir / "write.py").string(), " ", peers, " ", dir.path().string());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;

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
