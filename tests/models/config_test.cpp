// What a model configuration may be, and what it says when it is not.
#include "models/config.h"

#include "models/classifier.h"
#include "models/masked_autoencoder.h"
#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

std::string refusal(const std::function<void(ModelConfig&)>& spoil, ModelConfig config = {}) {
  spoil(config);
  return error_of([&] { validate(config); });
}

TEST(ModelConfig, accepts_every_named_model) {
  for (const char* name :
       {"mae-dfer-pretrain", "mae-dfer-classifier", "videomae-pretrain", "videomae-classifier"}) {
    const NamedModel model = named_model(name);
    EXPECT_NO_THROW(validate(model.config)) << name;
    EXPECT_EQ(model.classifier, std::string(name).ends_with("classifier")) << name;
    EXPECT_EQ(model.config.tokens(), 800) << name;
    EXPECT_EQ(model.config.pixels_per_cube(), 1536) << name;
  }
  EXPECT_EQ(named_model("mae-dfer-pretrain").config.regions(), 8);
}

TEST(ModelConfig, lists_the_named_models_where_the_name_is_unknown) {
  EXPECT_EQ(error_of([] { named_model("mae-dfer"); }),
            "unknown model 'mae-dfer'; known are mae-dfer-pretrain, mae-dfer-classifier, "
            "videomae-pretrain, videomae-classifier");
}

TEST(ModelConfig, wants_every_size_within_limits) {
  const std::vector<std::pair<int64_t ModelConfig::*, std::string>> sizes{
      {&ModelConfig::image, "the image size"},
      {&ModelConfig::patch, "the patch size"},
      {&ModelConfig::frames, "the number of frames"},
      {&ModelConfig::tubelet, "the tubelet size"},
      {&ModelConfig::embed_dim, "the embedding width"},
      {&ModelConfig::heads, "the number of heads"},
      {&ModelConfig::depth, "the encoder depth"},
      {&ModelConfig::decoder_dim, "the decoder width"},
      {&ModelConfig::decoder_heads, "the number of decoder heads"},
      {&ModelConfig::decoder_depth, "the decoder depth"},
      {&ModelConfig::classes, "the number of classes"}};
  for (const auto& [size, name] : sizes) {
    const int64_t most = name.ends_with("depth") ? 1024 : 1'048'576;
    for (const int64_t wrong : {int64_t{0}, int64_t{-3}, most + 1})
      EXPECT_EQ(refusal([&](ModelConfig& c) { c.*size = wrong; }),
                cat("model: ", name, " must lie in 1..", most, "; got ", wrong));
  }
}

TEST(ModelConfig, wants_sizes_that_divide_each_other) {
  EXPECT_EQ(refusal([](ModelConfig& c) { c.image = 150; }),
            "model: image size 150 is not a multiple of the patch size 16");
  EXPECT_EQ(refusal([](ModelConfig& c) { c.frames = 15; }),
            "model: 15 frames are not a multiple of the tubelet size 2");
  EXPECT_EQ(refusal([](ModelConfig& c) { c.heads = 7; }),
            "model: width 512 is not a multiple of 7 heads");
  EXPECT_EQ(refusal([](ModelConfig& c) { c.decoder_heads = 5; }),
            "model: decoder width 384 is not a multiple of 5 heads");
}

TEST(ModelConfig, wants_rates_within_limits) {
  for (const double wrong : {0.0, -1.0, 64.5, std::nan("")})
    EXPECT_EQ(refusal([&](ModelConfig& c) { c.mlp_ratio = wrong; }),
              cat("model: the MLP ratio must lie in (0,64]; got ", wrong));
  EXPECT_EQ(refusal([](ModelConfig& c) { c.mlp_ratio = 0.001; }),
            "model: an MLP ratio of 0.001 leaves an MLP no width at all");
  for (const double wrong : {-0.1, 1.0, std::nan("")})
    EXPECT_EQ(refusal([&](ModelConfig& c) { c.drop_path = wrong; }),
              cat("model: drop path must lie in [0,1); got ", wrong));
}

TEST(ModelConfig, wants_regions_that_tile_the_grid) {
  const auto with_region = [](std::array<int64_t, 3> region) {
    return refusal([&](ModelConfig& c) { c.region = region; });
  };
  EXPECT_EQ(with_region({3, 5, 10}),
            "model: region 3x5x10 does not tile the token grid 8x10x10 (time x rows x columns)");
  EXPECT_EQ(with_region({2, 4, 10}),
            "model: region 2x4x10 does not tile the token grid 8x10x10 (time x rows x columns)");
  EXPECT_EQ(with_region({2, 5, 20}),
            "model: region 2x5x20 does not tile the token grid 8x10x10 (time x rows x columns)");
  EXPECT_EQ(with_region({0, 5, 10}),
            "model: region 0x5x10 does not tile the token grid 8x10x10 (time x rows x columns)");
  EXPECT_EQ(with_region({2, 2, 10}), "no error");
}

TEST(ModelConfig, leaves_the_regions_of_a_joint_encoder_alone) {
  EXPECT_EQ(refusal(
                [](ModelConfig& c) {
                  c.region = {3, 3, 3};
                },
                named_model("videomae-pretrain").config),
            "no error");
}

// A graph is never built from sizes that were not looked at.
TEST(ModelConfig, is_validated_by_the_models) {
  Graph graph;
  Builder b(graph);
  ModelConfig config = tiny_config();
  config.patch = 0;
  const std::string expected = "model: the patch size must lie in 1..1048576; got 0";
  EXPECT_EQ(error_of([&] { build_pretrain(b, config, {}, {.visible = 16}); }), expected);
  EXPECT_EQ(error_of([&] { build_classifier(b, config, {}); }), expected);
}

}  // namespace
}  // namespace grimace::testing
