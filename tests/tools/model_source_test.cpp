// What --model may be, and what it says when it is none of that.
#include "tools/model_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ir/builder.h"
#include "ir/text.h"
#include "runtime/checkpoint.h"
#include "runtime/graph_file.h"
#include "runtime/pth.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::unique_ptr<Graph> small_graph() {
  auto graph = std::make_unique<Graph>("small");
  Builder b(*graph);
  b.output("y", b.gelu(b.input("x", {DType::f32, {2, 3}})));
  return graph;
}

std::filesystem::path write_checkpoint(const std::filesystem::path& dir, int64_t step,
                                       const Recipe& recipe) {
  const Tensor weight(DType::f32, {3});
  const NamedView tensors[] = {{"norm.weight", weight.view()}};
  return save_checkpoint(dir, {.step = step, .config = to_toml(recipe)}, tensors, 0);
}

TEST(ModelSource, TakesTheNameOfAModel) {
  const ModelSource source = open_model_source("videomae-classifier");
  EXPECT_EQ(source.kind, ModelSource::Kind::name);
  EXPECT_EQ(source.label, "videomae-classifier");
  EXPECT_EQ(source.recipe("", {}).model.embed_dim, 768);
}

TEST(ModelSource, ANameWinsOverTheRecipeFileAndSetOverBoth) {
  const testing::ScratchDir scratch;
  write_file(scratch / "r.toml", "[model]\nname = 'mae-dfer-pretrain'\ndecoder_depth = 2\n");
  const Recipe recipe = open_model_source("videomae-pretrain")
                            .recipe((scratch / "r.toml").string(), {"model.encoder_depth=3"});
  EXPECT_EQ(recipe.model.name, "videomae-pretrain");
  EXPECT_EQ(recipe.model.decoder_depth, 2);
  EXPECT_EQ(recipe.model.encoder_depth, 3);
}

TEST(ModelSource, TakesACheckpointAndTheNewestOfARunFolder) {
  const testing::ScratchDir scratch;
  Recipe recipe = recipe_for_model("mae-dfer-pretrain");
  recipe.model.encoder_depth = 2;
  const auto first = write_checkpoint(scratch.path(), 10, recipe);
  recipe.model.encoder_depth = 5;
  write_checkpoint(scratch.path(), 20, recipe);

  const ModelSource file = open_model_source(first.string());
  EXPECT_EQ(file.kind, ModelSource::Kind::checkpoint);
  EXPECT_EQ(file.recipe("", {}).model.encoder_depth, 2);
  EXPECT_EQ(file.recipe("", {"model.encoder_depth=7"}).model.encoder_depth, 7);

  const ModelSource folder = open_model_source(scratch.path().string());
  EXPECT_EQ(folder.recipe("", {}).model.encoder_depth, 5);
  EXPECT_THAT(folder.label, HasSubstr("(step 20)"));
}

TEST(ModelSource, TakesASavedGraphAndATextGraph) {
  const testing::ScratchDir scratch;
  const auto graph = small_graph();
  save_graph(*graph, scratch / "g.bin");
  write_file(scratch / "g.txt", print(*graph));
  for (const char* name : {"g.bin", "g.txt"}) {
    const ModelSource source = open_model_source((scratch / name).string());
    ASSERT_EQ(source.kind, ModelSource::Kind::graph) << name;
    EXPECT_TRUE(equal(*source.graph, *graph)) << name;
    EXPECT_THAT(error_of([&] { source.recipe("", {}); }), HasSubstr("has no recipe"));
  }
}

// A file of the authors' program keeps its settings as args.
TEST(ModelSource, TakesWhatShapesDoNotTellFromTheArgumentsInAFile) {
  const testing::ScratchDir scratch;
  const ModelConfig config{.embed_dim = 64,
                           .heads = 1,
                           .depth = 1,
                           .decoder_dim = 64,
                           .decoder_heads = 1,
                           .decoder_depth = 1};
  std::vector<Tensor> values;
  std::vector<NamedView> tensors;
  for (const ParamSpec& spec : pretrain_parameters(config))
    values.emplace_back(DType::f32, spec.shape);
  for (size_t i = 0; i < values.size(); ++i)
    tensors.push_back({pretrain_parameters(config)[i].name, values[i].view()});
  const auto recipe = [&](const Metadata& arguments) {
    save_pth(scratch / "theirs.pth", tensors, arguments);
    return open_model_source((scratch / "theirs.pth").string()).recipe("", {});
  };
  const Recipe plain = recipe({});
  EXPECT_EQ(plain.model.encoder_depth, 1);
  EXPECT_EQ(plain.model.image, 160);
  EXPECT_TRUE(plain.target.frame_diff);
  const Recipe told = recipe({{"args.input_size", "320"},
                              {"args.num_frames", "8"},
                              {"args.sampling_rate", "1"},
                              {"args.mask_ratio", "0.8"},
                              {"args.lg_region_size", "[2, 5, 20]"},
                              {"args.part_win_size", "[2, 5, 20]"},
                              {"args.mask_type", "part_window"},
                              {"args.normlize_target", "False"},
                              {"args.use_frame_diff_as_target", "False"},
                              {"args.frame_diff_group_size", "4"},
                              {"args.target_diff_weight", "None"},
                              {"args.lg_attn_param_sharing_all", "True"}});
  EXPECT_EQ(told.model.image, 320);
  EXPECT_EQ(told.model.frames, 8);
  EXPECT_EQ(told.data.sampling_rate, 1);
  EXPECT_EQ(told.mask.ratio, 0.8);
  EXPECT_FALSE(told.target.normalise);
  EXPECT_FALSE(told.target.frame_diff);
  EXPECT_EQ(told.target.group_size, 4);
  EXPECT_EQ(told.target.diff_weight, std::nullopt);
  EXPECT_TRUE(told.model.share_all);

  // What only pre-training knew may be unknown here; the model may not.
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(recipe({{"args.mask_type", "random"}}).mask.type, "part_window");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("left as \"part_window\""));
  EXPECT_THAT(error_of([&] {
                recipe({{"args.input_size", "many"}});
              }),
              HasSubstr("args.input_size"));
}

TEST(ModelSource, SaysWhatIsWrong) {
  const testing::ScratchDir scratch;
  const auto error = [&](const std::string& name) {
    return error_of([&] { open_model_source((scratch / name).string()); });
  };
  std::filesystem::create_directory(scratch / "empty");
  write_file(scratch / "r.toml", "");
  write_file(scratch / "nothing", "");
  write_file(scratch / "prose", "hello\n");
  write_file(scratch / "binary", std::string("\x01\x00\x02", 3));
  write_file(scratch / "cut.safetensors", "abc");
  write_file(scratch / "cut.graph", "GRMGRAPH\x01");
  EXPECT_THAT(error("empty"), HasSubstr("the folder has no checkpoint"));
  EXPECT_THAT(error("r.toml"), HasSubstr("given with --config"));
  EXPECT_THAT(error("nothing"), HasSubstr("as a graph in text form"));
  EXPECT_THAT(error("prose"), HasSubstr("line 1"));
  EXPECT_THAT(error("binary"), HasSubstr("neither a checkpoint"));
  EXPECT_THAT(error("cut.safetensors"), HasSubstr("cut.safetensors"));
  EXPECT_THAT(error("cut.graph"), HasSubstr("cut.graph"));
  EXPECT_THAT(error("absent"), HasSubstr("no such file or folder"));
  EXPECT_THAT(error_of([] { open_model_source("/dev/zero"); }), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([] { open_model_source("mae-dfer-pretrian"); }),
              HasSubstr("did you mean \"mae-dfer-pretrain\"?"));
  EXPECT_THAT(error_of([] { open_model_source(""); }),
              AllOf(HasSubstr("known are "), HasSubstr("videomae-classifier")));
}

}  // namespace
}  // namespace grimace
