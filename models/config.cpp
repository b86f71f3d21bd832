#include "models/config.h"

#include "ir/error.h"

namespace grimace {
namespace {

constexpr int64_t kMostBlocks = 1024;  // a hostile recipe must not build graphs without bound

}  // namespace

void validate(const ModelConfig& c) {
  const auto positive = [](int64_t value, std::string_view what, int64_t most = 1 << 20) {
    check(value > 0 && value <= most, "model: ", what, " must lie in 1..", most, "; got ", value);
  };
  positive(c.image, "the image size");
  positive(c.patch, "the patch size");
  positive(c.frames, "the number of frames");
  positive(c.tubelet, "the tubelet size");
  positive(c.embed_dim, "the embedding width");
  positive(c.heads, "the number of heads");
  positive(c.depth, "the encoder depth", kMostBlocks);
  positive(c.decoder_dim, "the decoder width");
  positive(c.decoder_heads, "the number of decoder heads");
  positive(c.decoder_depth, "the decoder depth", kMostBlocks);
  positive(c.classes, "the number of classes");
  check(c.mlp_ratio > 0 && c.mlp_ratio <= 64, "model: the MLP ratio must lie in (0,64]; got ",
        c.mlp_ratio);
  check(c.mlp_dim(c.embed_dim) > 0 && c.mlp_dim(c.decoder_dim) > 0, "model: an MLP ratio of ",
        c.mlp_ratio, " leaves an MLP no width at all");
  check(c.image % c.patch == 0, "model: image size ", c.image,
        " is not a multiple of the patch size ", c.patch);
  check(c.frames % c.tubelet == 0, "model: ", c.frames,
        " frames are not a multiple of the tubelet size ", c.tubelet);
  check(c.embed_dim % c.heads == 0, "model: width ", c.embed_dim, " is not a multiple of ", c.heads,
        " heads");
  check(c.decoder_dim % c.decoder_heads == 0, "model: decoder width ", c.decoder_dim,
        " is not a multiple of ", c.decoder_heads, " heads");
  check(c.drop_path >= 0 && c.drop_path < 1, "model: drop path must lie in [0,1); got ",
        c.drop_path);
  if (c.encoder == Encoder::joint) return;
  for (size_t axis = 0; axis < 3; ++axis)
    check(c.region[axis] > 0 && c.grid()[axis] % c.region[axis] == 0, "model: region ", c.region[0],
          "x", c.region[1], "x", c.region[2], " does not tile the token grid ", c.grid()[0], "x",
          c.grid()[1], "x", c.grid()[2], " (time x rows x columns)");
}

NamedModel named_model(std::string_view name) {
  ModelConfig vit;
  vit.encoder = Encoder::joint;
  vit.embed_dim = 768;
  vit.heads = 12;
  vit.depth = 12;
  vit.pool = PoolTokens::org;
  if (name == "mae-dfer-pretrain") return {ModelConfig{}, false};
  if (name == "mae-dfer-classifier") return {ModelConfig{}, true};
  if (name == "videomae-pretrain") return {vit, false};
  if (name == "videomae-classifier") return {vit, true};
  throw Error(cat("unknown model '", name,
                  "'; known are mae-dfer-pretrain, mae-dfer-classifier, "
                  "videomae-pretrain, videomae-classifier"));
}

}  // namespace grimace
