// What every model becomes on a GPU, kernel by kernel, without one: compared with the files in
// plans/, which are those of own kernels (cuDNN, where it is built in, takes over the longest
// attention). GRIMACE_WRITE_PLANS=1 writes them anew, for the difference to be read.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "backends/cuda/cuda_backend.h"
#include "backends/cuda/lowering.h"
#include "ir/passes/passes.h"
#include "tests/testing.h"
#include "tools/model_source.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

struct Planned {
  const char* model;
  const char* work;
  Precision precision;
  int64_t batch;
  std::string name() const {
    std::string text = cat(model, "_", work, "_", name_of(precision));
    std::ranges::replace(text, '-', '_');
    return text;
  }
};

std::unique_ptr<Graph> graph_of(const Planned& p) {
  const bool pretrain = std::string_view(p.work) == "pretrain";
  std::vector<std::string> pairs{cat("optim.batch_size=", p.batch)};
  if (std::string_view(p.work) == "finetune") pairs.emplace_back("model.drop_path=0.1");
  const std::string name = cat(p.model, pretrain ? "-pretrain" : "-classifier");
  const Recipe recipe = open_model_source(name).recipe("", pairs);
  if (std::string_view(p.work) != "inference") return training_graph(recipe);
  auto graph = forward_graph(recipe, p.batch, false);
  run_passes(*graph, forward_passes());
  run_passes(*graph, training_passes());
  return graph;
}

class CudaPlan : public ::testing::TestWithParam<Planned> {};
INSTANTIATE_TEST_SUITE_P(, CudaPlan,
                         ::testing::Values(Planned{"mae-dfer", "pretrain", Precision::bf16, 128},
                                           Planned{"mae-dfer", "pretrain", Precision::f32, 32},
                                           Planned{"mae-dfer", "finetune", Precision::bf16, 64},
                                           Planned{"mae-dfer", "inference", Precision::bf16, 32},
                                           Planned{"videomae", "pretrain", Precision::bf16, 128},
                                           Planned{"videomae", "finetune", Precision::bf16, 64},
                                           Planned{"videomae", "inference", Precision::bf16, 32}),
                         [](const auto& info) { return info.param.name(); });

TEST_P(CudaPlan, is_as_written) {
  const auto graph = cuda::make_cuda_backend()->lower(*graph_of(GetParam()), GetParam().precision);
  fit_memory(*graph, 0);
  const MemoryPlan plan = plan_memory(*graph);
  const cuda::Context context;
  const cuda::Lowering lowering = cuda::lower_kernels(*graph, plan, nullptr, context);
  for (const cuda::Step& step : lowering.steps)
    EXPECT_TRUE(step.kernel.fast) << step.node->describe() << ": " << step.kernel.name;
#ifdef GRIMACE_CUDA_EMULATED
  const std::string text = plan_text(lowering, plan, context);
  const auto path = testing::repository_dir() / "tests/cuda/plans" / (GetParam().name() + ".txt");
  if (std::getenv("GRIMACE_WRITE_PLANS") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  EXPECT_EQ(text, testing::file_text(path));
#endif
}

}  // namespace
}  // namespace grimace
