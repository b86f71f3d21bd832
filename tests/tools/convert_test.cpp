// grimace convert and files of weights as --model: what goes in comes out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "runtime/checkpoint.h"
#include "runtime/weights.h"
#include "tests/runtime/pth_forge.h"
#include "tests/testing.h"
#include "tools/command_line.h"
#include "tools/model_source.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Ran {
  int code = 0;
  std::string err = {};
};

Ran convert(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"grimace", "convert"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  ::testing::internal::CaptureStderr();
  Ran ran;
  ran.code = run_command_line(static_cast<int>(argv.size()), argv.data());
  ran.err = ::testing::internal::GetCapturedStderr();
  return ran;
}

// Empty when both files have the same tensors in content.
std::string difference(const std::filesystem::path& a, const std::filesystem::path& b) {
  const Weights first = open_weights(a), second = open_weights(b);
  if (first.all_names().size() != second.all_names().size()) return "numbers of tensors";
  for (const std::string& name : first.all_names()) {
    if (!second.contains(name) || first.type(name) != second.type(name)) return name;
    const Tensor x = first.tensor(name), y = second.tensor(name);
    if (std::memcmp(x.data(), y.data(), static_cast<size_t>(x.bytes())) != 0) return name;
  }
  return "";
}

std::filesystem::path checkpoint_in(const testing::ScratchDir& dir) {
  Tensor weight(DType::f32, {3, 4});
  for (size_t i = 0; i < 12; ++i) weight.as<float>()[i] = static_cast<float>(i);
  const Tensor step = Tensor::from<int64_t>({}, std::vector<int64_t>{12});
  const NamedView tensors[] = {{"norm.weight", weight.view()},
                               {optimizer_tensor("exp_avg", "norm.weight"), weight.view()},
                               {state_tensor("step"), step.view()}};
  const CheckpointInfo info{
      .step = 12, .epoch = 3, .config = to_toml(recipe_for_model("mae-dfer-pretrain"))};
  return save_checkpoint(dir.path(), info, tensors, 0);
}

TEST(Convert, a_checkpoint_to_pytorch_and_back_is_the_same_checkpoint) {
  const testing::ScratchDir dir;
  const std::string first = checkpoint_in(dir), pth = dir / "x.pth", back = dir / "y.safetensors";
  const Ran ran = convert({first, pth});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("3 tensors"));
  ASSERT_EQ(convert({pth, back}).code, 0);
  EXPECT_EQ(difference(first, pth), "");
  EXPECT_EQ(difference(first, back), "");
  const Checkpoint checkpoint = load_checkpoint(back);
  EXPECT_EQ(checkpoint.info.step, 12);
  EXPECT_EQ(checkpoint.info.config, load_checkpoint(first).info.config);
  EXPECT_EQ(open_model_source(pth).recipe("", {}).model.encoder_depth, 16);
}

TEST(Convert, a_file_of_pytorch_keeps_every_tensor) {
  const testing::ScratchDir dir;
  const std::string pth = testing::repository_dir() / "tests/golden/pytorch_small.pth";
  const std::string out = dir / "x.safetensors";
  ASSERT_EQ(convert({pth, out}).code, 0);
  EXPECT_EQ(difference(pth, out), "");
  EXPECT_EQ(open_weights(out).metadata().at("args.lg_region_size"), "[2, 5, 10]");
}

TEST(Convert, only_model_leaves_the_optimizer_out) {
  const testing::ScratchDir dir;
  const std::string out = dir / "x.pth";
  ASSERT_EQ(convert({checkpoint_in(dir), out, "--only", "model"}).code, 0);
  EXPECT_EQ(open_weights(out).all_names(), std::vector<std::string>{"norm.weight"});
}

TEST(Convert, takes_the_newest_checkpoint_of_a_run_folder) {
  const testing::ScratchDir dir;
  const auto first = checkpoint_in(dir);
  ASSERT_EQ(convert({dir.path(), dir / "x.pth"}).code, 0);
  EXPECT_EQ(difference(first, dir / "x.pth"), "");
}

// A file of PyTorch with one parameter, a state of it, and `more` of the optimizer's entries.
std::string forged(const std::string& name, const testing::Items& states,
                   const testing::Items& more = {}) {
  const std::string tensor = testing::ForgedTensor().pickle();
  testing::Items optimizer{{"state", testing::dict(states)},
                           {"param_groups", "](" + testing::dict({{"lr", "K\x01"}}) + "e"}};
  optimizer.insert(optimizer.end(), more.begin(), more.end());
  return testing::pth_with(testing::whole(testing::dict({{"model", testing::dict({{name, tensor}})},
                                                         {"optimizer", testing::dict(optimizer)}})))
      .bytes();
}

TEST(Convert, states_whose_numbers_are_written_in_two_ways_stay_two) {
  const testing::ScratchDir dir;
  const std::string in = dir / "x.pth", out = dir / "x.safetensors";
  const std::string state = testing::dict({{"exp_avg", testing::ForgedTensor().pickle()}});
  std::ofstream(in, std::ios::binary) << forged("w", {{"0", state}, {"00", state}});
  const Ran ran = convert({in, out});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(
      open_weights(out).all_names(),
      ::testing::UnorderedElementsAre("w", "optimizer.exp_avg.w", "optimizer.state.00.exp_avg"));
}

TEST(Convert, names_that_cannot_be_kept_are_refused) {
  const testing::ScratchDir dir;
  const std::string in = dir / "x.pth", out = dir / "x.safetensors";
  const std::string tensor = testing::ForgedTensor().pickle();
  const auto error = [&](const std::string& bytes) {
    std::ofstream(in, std::ios::binary) << bytes;
    const Ran ran = convert({in, out});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1);
    EXPECT_FALSE(std::filesystem::exists(out));
    return ran.err;
  };
  EXPECT_THAT(error(forged("w", {{"0", testing::dict({{"exp_avg", tensor}})}},
                           {{"exp_avg", testing::dict({{"w", tensor}})}})),
              HasSubstr("x.pth: tensor \"optimizer.exp_avg.w\" is there twice"));
  EXPECT_THAT(error(forged("w\xff", {})), HasSubstr("\"w\\ufffd\" in a file: it is not UTF-8"));
}

TEST(Convert, says_what_is_wrong_in_one_line) {
  const testing::ScratchDir dir;
  const std::string in = checkpoint_in(dir);
  std::ofstream(dir / "prose") << "hello";
  const auto error = [&](const std::vector<std::string>& words) {
    const Ran ran = convert(words);
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1);
    return ran.err;
  };
  EXPECT_THAT(error({in, dir / "x.onnx"}), HasSubstr("expected .safetensors, .pth or .pt"));
  EXPECT_THAT(error({in, in}), HasSubstr("choose another name"));
  EXPECT_THAT(error({dir / "absent", dir / "x.pth"}), HasSubstr("cannot open"));
  EXPECT_THAT(error({dir / "prose", dir / "x.pth"}), HasSubstr("holds no weights"));
  EXPECT_THAT(error({in}), HasSubstr("out"));
  EXPECT_THAT(error({in, dir / "x.pth", "--only", "head"}), HasSubstr("--only"));
}

TEST(ModelSource, takes_weights_without_a_recipe_and_tells_their_architecture) {
  const testing::ScratchDir dir;
  ModelConfig config = named_model("mae-dfer-pretrain").config;
  config.embed_dim = 64, config.heads = 1, config.depth = 2;
  config.decoder_dim = 64, config.decoder_heads = 1, config.decoder_depth = 1;
  std::vector<Tensor> tensors;
  std::vector<NamedView> views;
  for (const ParamSpec& spec : pretrain_parameters(config))
    tensors.emplace_back(DType::f32, spec.shape);
  for (const ParamSpec& spec : pretrain_parameters(config))
    views.push_back({spec.name, tensors[views.size()].view()});
  save_pth(dir / "x.pth", views, {{"args.input_size", "160"}});
  save_safetensors(dir / "x.safetensors", views, {});
  for (const char* name : {"x.pth", "x.safetensors"}) {
    const ModelSource source = open_model_source((dir / name).string());
    EXPECT_EQ(source.kind, ModelSource::Kind::checkpoint);
    const Recipe::Model found = source.recipe("", {}).model;
    EXPECT_EQ(found.name, "mae-dfer-pretrain");
    EXPECT_EQ(found.embed_dim, 64);
    EXPECT_EQ(found.heads, 1);
    EXPECT_EQ(found.encoder_depth, 2);
    EXPECT_EQ(found.decoder_depth, 1);
  }
  views.resize(1);
  save_pth(dir / "y.pth", views, {});
  EXPECT_THAT(testing::error_of([&] { open_model_source((dir / "y.pth").string()); }),
              AllOf(HasSubstr("y.pth"), HasSubstr("mask_token")));
}

}  // namespace
}  // namespace grimace
