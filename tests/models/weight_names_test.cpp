// Files against models: the mapping of spec 7.1, and what a file is recognised as.
#include "models/weight_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<ParamSpec> parameters(const NamedModel& model) {
  return model.classifier ? classifier_parameters(model.config) : pretrain_parameters(model.config);
}

// A file that holds all of a model.
std::vector<NamedType> file_of(const NamedModel& model) {
  std::vector<NamedType> types;
  for (const ParamSpec& spec : parameters(model))
    types.push_back({spec.name, {DType::f32, spec.shape}});
  return types;
}

std::string misfit(const NamedModel& wanted, const std::vector<NamedType>& found, LoadRule rule) {
  return testing::error_of(
      [&] { require_fit(match_weights(parameters(wanted), found), rule, found, wanted, "x.pth"); });
}

NamedModel classifier_with(int64_t classes) {
  NamedModel model = named_model("mae-dfer-classifier");
  model.config.classes = classes;
  return model;
}

TEST(WeightNames, the_own_file_of_a_model_fits_in_whole) {
  for (const char* name : {"mae-dfer-pretrain", "mae-dfer-classifier", "videomae-pretrain"}) {
    const NamedModel model = named_model(name);
    const LoadReport report = match_weights(parameters(model), file_of(model));
    EXPECT_EQ(report.matched.size(), parameters(model).size());
    EXPECT_TRUE(report.missing.empty() && report.unexpected.empty() && report.mismatched.empty());
    EXPECT_EQ(misfit(model, file_of(model), LoadRule::all), "no error");
  }
  EXPECT_EQ(to_string(match_weights(parameters(classifier_with(7)), file_of(classifier_with(7)))),
            "519 of 519 parameters");
}

// The outcome that spec 7.1 states.
TEST(WeightNames, of_pretraining_fill_a_classifier_but_its_norm_and_head) {
  const auto found = file_of(named_model("mae-dfer-pretrain"));
  const NamedModel wanted = classifier_with(7);
  const LoadReport report = match_weights(parameters(wanted), found);
  EXPECT_THAT(report.missing,
              ElementsAre("fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"));
  EXPECT_EQ(report.matched.size(), 515u);
  EXPECT_TRUE(report.mismatched.empty());
  const auto unused = [&](const char* name) {
    return std::ranges::find(report.unexpected, name) != report.unexpected.end();
  };
  for (const char* name : {"mask_token", "encoder.norm.weight", "encoder.norm.bias",
                           "encoder_to_decoder.weight", "decoder.head.weight"})
    EXPECT_TRUE(unused(name)) << name;
  EXPECT_EQ(report.matched.size() + report.unexpected.size(), 575u);
  EXPECT_EQ(misfit(wanted, found, LoadRule::encoder), "no error");
  EXPECT_THAT(misfit(wanted, found, LoadRule::all),
              AllOf(HasSubstr("x.pth: holds LGI-Former pre-training model, width 512, 16 blocks"),
                    HasSubstr("wanted is LGI-Former classifier"),
                    HasSubstr("not in the file: 4 (fc_norm.weight")));
}

TEST(WeightNames, lose_a_leading_backbone_too) {
  auto found = file_of(classifier_with(7));
  for (NamedType& tensor : found) tensor.name = "backbone." + tensor.name;
  EXPECT_EQ(misfit(classifier_with(7), found, LoadRule::all), "no error");
  EXPECT_TRUE(recognise_model(found)->classifier);
}

TEST(WeightNames, that_stand_as_they_are_go_before_those_that_lose_a_prefix) {
  const std::vector<ParamSpec> wanted{{"w", {2}, {}, ""}};
  for (const bool swapped : {false, true}) {
    std::vector<NamedType> found{{"encoder.w", {DType::f32, {2}}}, {"w", {DType::f32, {2}}}};
    if (swapped) std::swap(found[0], found[1]);
    const LoadReport report = match_weights(wanted, found);
    EXPECT_THAT(report.matched, ElementsAre(std::pair("w", "w")));
    EXPECT_THAT(report.unexpected, ElementsAre("encoder.w"));
  }
}

TEST(WeightNames, of_a_head_for_other_classes_leave_the_head_fresh_or_are_refused) {
  const auto found = file_of(classifier_with(11));
  EXPECT_EQ(misfit(classifier_with(7), found, LoadRule::encoder), "no error");
  EXPECT_THAT(misfit(classifier_with(7), found, LoadRule::all),
              AllOf(HasSubstr("11 classes"), HasSubstr("7 classes"),
                    HasSubstr("head.weight is [11x512] in the file, [7x512] in the model")));
}

TEST(WeightNames, of_another_architecture_are_refused_with_both_described) {
  NamedModel shallow = named_model("mae-dfer-pretrain");
  shallow.config.depth = 12;
  const auto full = file_of(named_model("mae-dfer-pretrain"));
  EXPECT_EQ(misfit(shallow, file_of(shallow), LoadRule::all), "no error");
  EXPECT_THAT(misfit(named_model("mae-dfer-pretrain"), file_of(shallow), LoadRule::all),
              AllOf(HasSubstr("12 blocks"), HasSubstr("16 blocks")));
  EXPECT_THAT(misfit(named_model("videomae-pretrain"), full, LoadRule::all),
              AllOf(HasSubstr("holds LGI-Former"), HasSubstr("wanted is ViT")));
  EXPECT_THAT(misfit(shallow, {{"conv1.weight", {DType::f32, {64, 3, 7, 7}}}}, LoadRule::encoder),
              HasSubstr("holds no model that is known here"));
}

TEST(WeightNames, tell_the_architecture) {
  for (const char* name :
       {"mae-dfer-pretrain", "mae-dfer-classifier", "videomae-pretrain", "videomae-classifier"}) {
    const NamedModel model = named_model(name);
    const auto found = recognise_model(file_of(model));
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(describe(*found), describe(model));
    EXPECT_EQ(found->config.heads, model.config.heads);
    EXPECT_EQ(found->config.mlp_ratio, model.config.mlp_ratio);
    EXPECT_EQ(parameters(*found).size(), parameters(model).size());
  }
}

TEST(WeightNames, tell_the_options_of_the_blocks) {
  using Set = void (*)(ModelConfig&);
  for (const Set set : std::initializer_list<Set>{[](ModelConfig& c) { c.first_cross = true; },
                                                  [](ModelConfig& c) { c.third_self = true; },
                                                  [](ModelConfig& c) { c.no_second = true; },
                                                  [](ModelConfig& c) { c.no_third = true; },
                                                  [](ModelConfig& c) {
                                                    c.region = {2, 2, 10};
                                                  }}) {
    NamedModel model = named_model("mae-dfer-pretrain");
    set(model.config);
    const auto found = recognise_model(file_of(model));
    ASSERT_TRUE(found);
    EXPECT_EQ(misfit(*found, file_of(model), LoadRule::all), "no error") << describe(model);
    EXPECT_EQ(describe(*found), describe(model));
  }
}

TEST(WeightNames, of_nothing_known_are_not_recognised) {
  EXPECT_FALSE(recognise_model({}));
  const std::vector<NamedType> wrong{{"patch_embed.proj.weight", {DType::f32, {0, 3, 0, 0, 0}}},
                                     {"blocks.0.norm2.weight", {DType::f32, {}}}};
  EXPECT_FALSE(recognise_model(wrong));
}

}  // namespace
}  // namespace grimace
