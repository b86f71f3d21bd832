// The shape of a model: what spec 1.1 and 2.8 leave open. Sizes are in pixels (image, patch),
// frames (frames, tubelet) or tokens (region: time, rows, columns).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace grimace {

enum class Encoder : uint8_t { local_global, joint };     // LGI-Former, or the ViT baseline
enum class PoolTokens : uint8_t { region, org, all };     // spec 2.9
enum class VisibleOrder : uint8_t { reference, raster };  // spec 4.3

struct ModelConfig {
  Encoder encoder = Encoder::local_global;
  int64_t image = 160;
  int64_t patch = 16;
  int64_t frames = 16;
  int64_t tubelet = 2;
  int64_t embed_dim = 512;
  int64_t heads = 8;
  int64_t depth = 16;
  double mlp_ratio = 4.0;
  double drop_path = 0.0;  // of the last block; spec 2.7

  // Options of the LGI block, spec 2.8.
  std::array<int64_t, 3> region{2, 5, 10};
  bool first_cross = false;
  bool third_self = false;
  bool share_first_third = false;
  bool share_all = false;
  bool no_second = false;
  bool no_third = false;

  // Masked autoencoder.
  int64_t decoder_dim = 384;
  int64_t decoder_heads = 6;
  int64_t decoder_depth = 4;
  VisibleOrder visible_order = VisibleOrder::reference;

  // Classifier.
  int64_t classes = 7;
  PoolTokens pool = PoolTokens::region;

  std::array<int64_t, 3> grid() const { return {frames / tubelet, image / patch, image / patch}; }
  int64_t tokens() const { return grid()[0] * grid()[1] * grid()[2]; }
  int64_t pixels_per_cube() const { return 3 * tubelet * patch * patch; }
  std::array<int64_t, 3> regions_per_axis() const {
    return {grid()[0] / region[0], grid()[1] / region[1], grid()[2] / region[2]};
  }
  int64_t regions() const {
    const auto n = regions_per_axis();
    return n[0] * n[1] * n[2];
  }
  int64_t mlp_dim(int64_t dim) const {
    return static_cast<int64_t>(static_cast<double>(dim) * mlp_ratio);
  }
};

// Throws Error naming the numbers when sizes do not fit: image not a multiple of patch, a region
// that does not tile the grid, a width that heads do not divide, ...
void validate(const ModelConfig& config);

constexpr double kLayerNormEps = 1e-6;
// Names of the architecture: "mae-dfer-pretrain", "mae-dfer-classifier", "videomae-pretrain",
// "videomae-classifier". Error listing them otherwise.
struct NamedModel {
  ModelConfig config;
  bool classifier = false;
};
NamedModel named_model(std::string_view name);

}  // namespace grimace
