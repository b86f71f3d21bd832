#include "tests/system/tiny_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <fstream>

#include "data/synth.h"
#include "ir/error.h"
#include "runtime/checkpoint.h"
#include "runtime/pth.h"
#include "runtime/safetensors.h"
#include "tests/tiny_recipe.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

constexpr const char* kSettings = R"([data]
sampling_rate = 2

[optim]
lr = 0.032
batch_size = 8
warmup_steps = 3
steps = 12
clip_grad = 1.0

[run]
threads = 1
)";

const ScratchDir& common_scratch() {
  static const ScratchDir scratch;
  return scratch;
}

}  // namespace

const fs::path& faces_list() {
  static const fs::path list = [] {
    const fs::path folder = common_scratch() / "faces";
    write_synthetic_clips({.out = folder, .clips = 24, .size = 64, .threads = 2});
    return folder / "clips.csv";
  }();
  return list;
}

const fs::path& tiny_recipe_file() {
  static const fs::path recipe = [] {
    const fs::path file = common_scratch() / "tiny.toml";
    std::ofstream(file) << tiny_recipe(kSettings);
    return file;
  }();
  return recipe;
}

Words pretrain(const fs::path& out, const Words& more) {
  return Words{"pretrain", "--config", tiny_recipe_file(), "--data", faces_list(), "--out", out} +
         more;
}

Outcome pretrain_well(const fs::path& out, const Words& more) {
  Outcome outcome = run_grimace(pretrain(out, more));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome;
}

fs::path checkpoint(const fs::path& run, int64_t step) {
  return run / cat("checkpoint-", step, ".safetensors");
}

fs::path with_authors_averages(const fs::path& file, const fs::path& pth) {
  const SafetensorsFile in(file);
  std::deque<Tensor> tensors;
  std::vector<NamedView> views;
  const std::string ours = state_tensor("ema.");
  for (const std::string& name : in.names()) {
    if (!is_model_tensor(name) && !name.starts_with(ours)) continue;
    tensors.push_back(in.tensor(name));
    views.push_back({is_model_tensor(name) ? name : authors_average(name.substr(ours.size())),
                     tensors.back().view()});
  }
  save_pth(pth, views, in.all_metadata());
  return pth;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  if (fs::exists(folder))
    for (const auto& entry : fs::directory_iterator(folder))
      names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<nlohmann::json> metrics(const fs::path& run) {
  std::ifstream in(run / "metrics.jsonl");
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

void expect_same_tensors(const fs::path& expected, const fs::path& actual) {
  const SafetensorsFile e(expected);
  const SafetensorsFile a(actual);
  ASSERT_EQ(e.names(), a.names());
  ASSERT_THAT(e.names(), ::testing::Contains(::testing::StartsWith("optimizer.exp_avg_sq.")));
  for (const std::string& name : e.names()) {
    const Tensor left = e.tensor(name);
    const Tensor right = a.tensor(name);
    ASSERT_EQ(left.type(), right.type()) << name;
    EXPECT_EQ(
        std::memcmp(left.view().data, right.view().data, static_cast<size_t>(left.type().bytes())),
        0)
        << name;
  }
}

void expect_same_losses(const std::vector<nlohmann::json>& expected,
                        const std::vector<nlohmann::json>& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i)
    for (const char* key : {"step", "epoch", "loss", "lr", "grad_norm"})
      EXPECT_EQ(expected[i].at(key), actual[i].at(key)) << key << " of line " << i + 1;
}

}  // namespace grimace::testing
