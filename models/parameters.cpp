#include "models/parameters.h"

#include <algorithm>
#include <cmath>

#include "ir/philox.h"

namespace grimace {
namespace {

constexpr Init kZeros{};
constexpr Init kOnes{.kind = Init::Kind::ones};

// How the two kinds of model initialise what they share.
struct Style {
  bool xavier;         // Linear weights: Xavier uniform, or normal with sigma 0.02
  double token_limit;  // of the normal of the token tables
};
constexpr Style kPretrain{true, 0.02};
constexpr Style kClassifier{false, 2.0};

class Specs {
 public:
  Specs(const ModelConfig& config, Style style) : config_(config), style_(style) {}

  std::vector<ParamSpec> take() { return std::move(specs_); }

  void add(const std::string& name, const Shape& shape, Init init, const std::string& alias = {}) {
    specs_.push_back({name, shape, init, alias});
  }
  void tokens(const std::string& name, const Shape& shape) {
    add(name, shape, {Init::Kind::normal, 0.02, style_.token_limit, 1.0});
  }
  void vector(const std::string& name, int64_t dim) { add(name, {dim}, kZeros); }
  void matrix(const std::string& name, int64_t out, int64_t in, double factor = 1.0) {
    add(name, {out, in}, linear_init(out, in, factor));
  }
  void linear(const std::string& name, int64_t out, int64_t in) {
    matrix(name + ".weight", out, in);
    vector(name + ".bias", out);
  }
  void norm(const std::string& name, int64_t dim) {
    add(name + ".weight", {dim}, kOnes);
    vector(name + ".bias", dim);
  }
  // The framework's default for a convolution, which the models leave alone.
  void cube_embedding(const std::string& name) {
    const int64_t dim = config_.embed_dim;
    const double bound = 1.0 / std::sqrt(static_cast<double>(config_.pixels_per_cube()));
    const Init init{Init::Kind::uniform, bound, 0.0, 1.0};
    add(name + ".proj.weight", {dim, 3, config_.tubelet, config_.patch, config_.patch}, init);
    add(name + ".proj.bias", {dim}, init);
  }

  void attention(const std::string& name, int64_t dim, const std::string& alias = {}) {
    const auto same = [&](const char* tensor) { return alias.empty() ? alias : alias + tensor; };
    add(name + ".q_bias", {dim}, kZeros, same(".q_bias"));
    add(name + ".v_bias", {dim}, kZeros, same(".v_bias"));
    add(name + ".q.weight", {dim, dim}, linear_init(dim, dim), same(".q.weight"));
    add(name + ".kv.weight", {2 * dim, dim}, linear_init(2 * dim, dim), same(".kv.weight"));
    add(name + ".proj.weight", {dim, dim}, linear_init(dim, dim), same(".proj.weight"));
    add(name + ".proj.bias", {dim}, kZeros, same(".proj.bias"));
  }

  void mlp(const std::string& name, int64_t dim) {
    linear(name + ".fc1", config_.mlp_dim(dim), dim);
    linear(name + ".fc2", dim, config_.mlp_dim(dim));
  }

  void plain_block(const std::string& name, int64_t dim) {
    norm(name + ".norm1", dim);
    vector(name + ".attn.q_bias", dim);
    vector(name + ".attn.v_bias", dim);
    matrix(name + ".attn.qkv.weight", 3 * dim, dim);
    linear(name + ".attn.proj", dim, dim);
    norm(name + ".norm2", dim);
    mlp(name + ".mlp", dim);
  }

  void lgi_block(const std::string& name) {
    const ModelConfig& c = config_;
    const int64_t dim = c.embed_dim;
    const std::string first = name + ".first_attn";
    norm(name + ".first_attn_norm0", dim);
    if (c.first_cross) norm(name + ".first_attn_norm1", dim);
    attention(first, dim);
    if (!c.no_second) {
      norm(name + ".second_attn_norm0", dim);
      attention(name + ".second_attn", dim, c.share_all ? first : "");
    }
    if (!c.no_third) {
      norm(name + ".third_attn_norm0", dim);
      if (!c.third_self) norm(name + ".third_attn_norm1", dim);
      attention(name + ".third_attn", dim, c.share_all || c.share_first_third ? first : "");
    }
    norm(name + ".norm2", dim);
    mlp(name + ".mlp", dim);
  }

  // Region tokens, cube embedding and blocks; `prefix` is "encoder." or empty.
  void encoder(const std::string& prefix) {
    const bool lgi = config_.encoder == Encoder::local_global;
    if (lgi) tokens(prefix + "lg_region_tokens", {config_.regions(), config_.embed_dim});
    cube_embedding(prefix + "patch_embed");
    for (int64_t i = 0; i < config_.depth; ++i) {
      const std::string name = prefix + "blocks." + std::to_string(i);
      if (lgi)
        lgi_block(name);
      else
        plain_block(name, config_.embed_dim);
    }
  }

 private:
  Init linear_init(int64_t out, int64_t in, double factor = 1.0) const {
    if (!style_.xavier) return {Init::Kind::normal, 0.02, 2.0, factor};
    return {Init::Kind::uniform, std::sqrt(6.0 / static_cast<double>(in + out)), 0.0, factor};
  }

  const ModelConfig& config_;
  Style style_;
  std::vector<ParamSpec> specs_;
};

}  // namespace

std::vector<ParamSpec> pretrain_parameters(const ModelConfig& c) {
  validate(c);
  Specs specs(c, kPretrain);
  specs.tokens("mask_token", {1, 1, c.decoder_dim});
  specs.encoder("encoder.");
  specs.norm("encoder.norm", c.embed_dim);
  for (int64_t i = 0; i < c.decoder_depth; ++i)
    specs.plain_block("decoder.blocks." + std::to_string(i), c.decoder_dim);
  specs.norm("decoder.norm", c.decoder_dim);
  specs.linear("decoder.head", c.pixels_per_cube(), c.decoder_dim);
  const double bound = 1.0 / std::sqrt(static_cast<double>(c.embed_dim));
  specs.add("encoder_to_decoder.weight", {c.decoder_dim, c.embed_dim},
            {Init::Kind::uniform, bound, 0.0, 1.0});
  return specs.take();
}

std::vector<ParamSpec> classifier_parameters(const ModelConfig& c) {
  validate(c);
  constexpr double kHeadScale = 0.001;
  Specs specs(c, kClassifier);
  specs.encoder("");
  specs.norm("fc_norm", c.embed_dim);
  specs.matrix("head.weight", c.classes, c.embed_dim, kHeadScale);
  specs.vector("head.bias", c.classes);
  return specs.take();
}

void declare(Builder& b, std::span<const ParamSpec> specs) {
  for (const ParamSpec& spec : specs)
    if (spec.alias_of.empty()) b.param(spec.name, spec.shape);
}

void initialise(const ParamSpec& spec, uint64_t seed, std::span<float> values) {
  PhiloxStream random(seed, stream_id(spec.name));
  const Init& init = spec.init;
  for (float& value : values) {
    double draw = init.kind == Init::Kind::ones ? 1.0 : 0.0;
    if (init.kind == Init::Kind::uniform) draw = random.uniform(-init.scale, init.scale);
    if (init.kind == Init::Kind::normal) {
      do draw = init.scale * random.normal();
      while (std::abs(draw) > init.limit);
    }
    value = static_cast<float>(draw * init.factor);
  }
}

}  // namespace grimace
