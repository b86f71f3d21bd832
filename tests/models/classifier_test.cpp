// Pooling, head and loss of the classifier against plain loops (spec 2.9, 7.5).
#include "models/classifier.h"

#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

constexpr int64_t kBatch = 2;
constexpr int64_t kDim = 8;
constexpr int64_t kClasses = 3;

ModelConfig pooling(PoolTokens pool, Encoder encoder = Encoder::local_global) {
  ModelConfig c = tiny_config();
  c.encoder = encoder;
  c.pool = pool;
  return c;
}

// A run with outputs "feature", "logits", and "last", what the last block leaves.
std::map<std::string, Numbers> classified(const ModelConfig& c) {
  Trial trial;
  const ClassifierModel model = build_classifier(trial.b, c, {.batch = kBatch, .with_taps = true});
  EXPECT_EQ(model.taps.back().name, "blocks.1");
  EXPECT_FALSE(model.loss);
  trial.b.output("feature", model.feature);
  trial.b.output("logits", model.logits);
  trial.b.output("last", model.taps.back().value);
  return trial.run();
}

// LN_fc of the mean over those of the clip's rows in "last" that `chosen` takes.
Numbers feature_by_loops(const Numbers& last, const std::function<bool(int64_t)>& chosen) {
  const int64_t per_clip = static_cast<int64_t>(last.size()) / kBatch / kDim;
  const Numbers weight = drawn("fc_norm.weight", kDim);
  const Numbers bias = drawn("fc_norm.bias", kDim);
  Numbers result;
  for (int64_t clip = 0; clip < kBatch; ++clip) {
    Numbers mean(kDim, 0.0);
    double count = 0.0;
    for (int64_t row = 0; row < per_clip; ++row) {
      if (!chosen(row)) continue;
      ++count;
      for (int64_t j = 0; j < kDim; ++j)
        mean[static_cast<size_t>(j)] +=
            last[static_cast<size_t>((clip * per_clip + row) * kDim + j)];
    }
    double centre = 0.0;
    double variance = 0.0;
    for (double& m : mean) centre += (m /= count) / kDim;
    for (const double m : mean) variance += (m - centre) * (m - centre) / kDim;
    for (size_t j = 0; j < kDim; ++j)
      result.push_back((mean[j] - centre) / std::sqrt(variance + 1e-6) * weight[j] + bias[j]);
  }
  return result;
}

TEST(Classifier, averages_the_chosen_tokens_before_the_norm) {
  const auto is_representative = [](int64_t row) { return row % 17 == 0; };
  auto result = classified(pooling(PoolTokens::region));
  EXPECT_THAT(result.at("feature"),
              near_all(feature_by_loops(result.at("last"), is_representative), 1e-10));
  result = classified(pooling(PoolTokens::org));
  EXPECT_THAT(result.at("feature"),
              near_all(feature_by_loops(result.at("last"),
                                        [&](int64_t row) { return !is_representative(row); }),
                       1e-10));
  result = classified(pooling(PoolTokens::all));
  EXPECT_THAT(result.at("feature"),
              near_all(feature_by_loops(result.at("last"), [](int64_t) { return true; }), 1e-10));
}

TEST(Classifier, averages_all_tokens_of_a_joint_encoder) {
  const auto result = classified(pooling(PoolTokens::org, Encoder::joint));
  EXPECT_EQ(result.at("last").size(), static_cast<size_t>(kBatch * 64 * kDim));
  EXPECT_THAT(result.at("feature"),
              near_all(feature_by_loops(result.at("last"), [](int64_t) { return true; }), 1e-10));
}

TEST(Classifier, reads_logits_from_the_feature) {
  const auto result = classified(pooling(PoolTokens::region));
  const Numbers weight = drawn("head.weight", kClasses * kDim);
  Numbers logits;
  for (size_t clip = 0; clip < kBatch; ++clip)
    for (size_t k = 0; k < kClasses; ++k) {
      logits.push_back(drawn("head.bias", kClasses)[k]);
      for (size_t j = 0; j < kDim; ++j)
        logits.back() += result.at("feature")[clip * kDim + j] * weight[k * kDim + j];
    }
  EXPECT_THAT(result.at("logits"), near_all(logits));
}

TEST(Classifier, refuses_region_tokens_of_a_joint_encoder) {
  for (const PoolTokens pool : {PoolTokens::region, PoolTokens::all}) {
    Graph graph;
    Builder b(graph);
    EXPECT_EQ(error_of([&] { build_classifier(b, pooling(pool, Encoder::joint), {}); }),
              "model: the joint encoder has no region tokens to pool; pool 'org'");
  }
}

TEST(Classifier, takes_the_cross_entropy_against_smoothed_labels) {
  for (const double smoothing : {0.0, 0.1, 0.3}) {
    Trial trial;
    const ClassifierModel model = build_classifier(
        trial.b, tiny_config(), {.batch = kBatch, .with_loss = true, .label_smoothing = smoothing});
    trial.b.output("logits", model.logits);
    trial.b.output("loss", model.loss);
    const std::vector<size_t> labels{2, 0};
    trial.set("labels", {2, 0});
    const auto result = trial.run();
    double loss = 0.0;
    for (size_t clip = 0; clip < kBatch; ++clip) {
      const double* z = &result.at("logits")[clip * kClasses];
      const double log_sum = std::log(std::exp(z[0]) + std::exp(z[1]) + std::exp(z[2]));
      for (size_t k = 0; k < kClasses; ++k) {
        const double off = smoothing / kClasses;
        const double share = k == labels[clip] ? 1.0 - smoothing + off : off;
        loss -= share * (z[k] - log_sum) / kBatch;
      }
    }
    EXPECT_NEAR(result.at("loss").at(0), loss, 1e-12) << smoothing;
  }
}

TEST(Classifier, takes_the_cross_entropy_against_soft_targets_as_they_are) {
  Trial trial;
  const ClassifierModel model = build_classifier(
      trial.b, tiny_config(),
      {.batch = kBatch, .with_loss = true, .soft_targets = true, .label_smoothing = 0.1});
  trial.b.output("logits", model.logits);
  trial.b.output("loss", model.loss);
  EXPECT_FALSE(trial.graph.find_input("labels"));
  const Numbers targets{0.2, 0.3, 0.5, 1.0, 0.0, 0.0};
  trial.set("targets", targets);
  const auto result = trial.run();
  double loss = 0.0;
  for (size_t clip = 0; clip < kBatch; ++clip) {
    const double* z = &result.at("logits")[clip * kClasses];
    const double log_sum = std::log(std::exp(z[0]) + std::exp(z[1]) + std::exp(z[2]));
    for (size_t k = 0; k < kClasses; ++k)
      loss -= targets[clip * kClasses + k] * (z[k] - log_sum) / kBatch;
  }
  EXPECT_NEAR(result.at("loss").at(0), loss, 1e-12);
}

}  // namespace
}  // namespace grimace::testing
