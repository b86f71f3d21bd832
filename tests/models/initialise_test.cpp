// Initial distributions: bounds and spreads of spec 6.1 and 7.2, drawn by name.
#include <numeric>

#include "models/parameters.h"
#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

using ::testing::Each;

std::vector<ParamSpec> all_parameters(std::string_view model) {
  const auto [config, classifier] = named_model(model);
  return classifier ? classifier_parameters(config) : pretrain_parameters(config);
}

ParamSpec find(std::string_view model, const std::string& name) {
  for (const ParamSpec& spec : all_parameters(model))
    if (spec.name == name) return spec;
  throw Error("no parameter " + name);
}

std::vector<float> draw(const ParamSpec& spec, size_t count, uint64_t seed = 1) {
  std::vector<float> values(count);
  initialise(spec, seed, values);
  return values;
}

struct Spread {
  double mean = 0.0;
  double deviation = 0.0;
  double largest = 0.0;
};

// Of more values than the tensor holds: the distribution, not one sample of it.
Spread spread(const ParamSpec& spec) {
  constexpr size_t kCount = 200'000;
  const std::vector<float> values = draw(spec, kCount);
  Spread s;
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / kCount;
  for (const float value : values) {
    s.deviation += (value - s.mean) * (value - s.mean) / kCount;
    s.largest = std::max(s.largest, std::abs(static_cast<double>(value)));
  }
  s.deviation = std::sqrt(s.deviation);
  return s;
}

void expect_uniform(std::string_view model, const std::string& name, double bound) {
  const Spread s = spread(find(model, name));
  EXPECT_NEAR(s.mean, 0.0, 0.01 * bound) << name;
  EXPECT_NEAR(s.deviation, bound / std::sqrt(3.0), 0.01 * bound) << name;
  EXPECT_NEAR(s.largest, bound, 0.0005 * bound) << name;
}

void expect_normal(std::string_view model, const std::string& name, double deviation) {
  const Spread s = spread(find(model, name));
  EXPECT_NEAR(s.mean, 0.0, 0.02 * deviation) << name;
  EXPECT_NEAR(s.deviation, deviation, 0.01 * deviation) << name;
  EXPECT_GT(s.largest, 4.0 * deviation) << name << " is cut off";
}

TEST(Initialise, draws_matrices_of_pretraining_uniformly_within_the_published_bounds) {
  const std::map<std::string, double> published{
      {"encoder.blocks.3.first_attn.q.weight", 0.07655},
      {"encoder.blocks.0.third_attn.proj.weight", 0.07655},
      {"encoder.blocks.3.second_attn.kv.weight", 0.0625},
      {"encoder.blocks.15.mlp.fc1.weight", 0.04841},
      {"encoder.blocks.15.mlp.fc2.weight", 0.04841},
      {"decoder.blocks.0.attn.qkv.weight", 0.0625},
      {"decoder.blocks.0.attn.proj.weight", 0.08839},
      {"decoder.blocks.3.mlp.fc1.weight", 0.05590},
      {"decoder.blocks.3.mlp.fc2.weight", 0.05590},
      {"decoder.head.weight", 0.05590},
      {"encoder.patch_embed.proj.weight", 0.025516},
      {"encoder.patch_embed.proj.bias", 0.025516},
      {"encoder_to_decoder.weight", 0.04419}};
  for (const auto& [name, bound] : published) expect_uniform("mae-dfer-pretrain", name, bound);
  expect_uniform("videomae-pretrain", "encoder_to_decoder.weight", 0.03608);
}

TEST(Initialise, cuts_token_tables_of_pretraining_at_one_sigma) {
  for (const char* name : {"mask_token", "encoder.lg_region_tokens"}) {
    const Spread s = spread(find("mae-dfer-pretrain", name));
    EXPECT_NEAR(s.mean, 0.0, 1e-4) << name;
    EXPECT_NEAR(s.deviation, 0.01079, 1e-4) << name;
    EXPECT_LE(s.largest, 0.02f) << name;
    EXPECT_GT(s.largest, 0.01999) << name;
  }
}

TEST(Initialise, draws_matrices_and_tokens_of_the_classifier_from_a_whole_normal) {
  for (const char* name : {"lg_region_tokens", "blocks.0.first_attn.q.weight",
                           "blocks.7.second_attn.kv.weight", "blocks.15.mlp.fc2.weight"})
    expect_normal("mae-dfer-classifier", name, 0.02);
  expect_normal("videomae-classifier", "blocks.0.attn.qkv.weight", 0.02);
  expect_uniform("mae-dfer-classifier", "patch_embed.proj.weight", 0.025516);
  expect_uniform("mae-dfer-classifier", "patch_embed.proj.bias", 0.025516);
}

TEST(Initialise, makes_the_head_of_the_classifier_a_thousand_times_smaller) {
  expect_normal("mae-dfer-classifier", "head.weight", 0.02 * 0.001);
}

TEST(Initialise, makes_norms_the_identity_and_biases_zero) {
  for (const char* model :
       {"mae-dfer-pretrain", "mae-dfer-classifier", "videomae-pretrain", "videomae-classifier"})
    for (const ParamSpec& spec : all_parameters(model)) {
      if (spec.shape.rank() != 1 || spec.name.ends_with("patch_embed.proj.bias")) continue;
      const bool scale = spec.name.ends_with(".weight");
      EXPECT_THAT(draw(spec, 16), Each(scale ? 1.0f : 0.0f)) << model << " " << spec.name;
      EXPECT_EQ(scale, scale && spec.name.find("norm") != std::string::npos) << spec.name;
    }
}

TEST(Initialise, depends_on_the_seed_and_the_name_alone) {
  const std::vector<ParamSpec> specs = pretrain_parameters(tiny_config());
  std::map<std::string, std::vector<float>> forwards;
  std::map<std::string, std::vector<float>> backwards;
  for (size_t i = 0; i < specs.size(); ++i) {
    const ParamSpec& last = specs[specs.size() - 1 - i];
    forwards[specs[i].name] = draw(specs[i], static_cast<size_t>(specs[i].shape.numel()));
    backwards[last.name] = draw(last, static_cast<size_t>(last.shape.numel()));
  }
  EXPECT_EQ(forwards, backwards);
}

TEST(Initialise, gives_other_values_for_another_seed_or_name) {
  const ParamSpec q0 = find("mae-dfer-pretrain", "encoder.blocks.0.first_attn.q.weight");
  const ParamSpec q1 = find("mae-dfer-pretrain", "encoder.blocks.1.first_attn.q.weight");
  EXPECT_EQ(draw(q0, 64, 1), draw(q0, 64, 1));
  EXPECT_NE(draw(q0, 64, 1), draw(q0, 64, 2));
  EXPECT_NE(draw(q0, 64, 1), draw(q1, 64, 1));
}

}  // namespace
}  // namespace grimace::testing
