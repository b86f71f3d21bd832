// The attention primitive against plain loops (spec 2.4), and the cube embedding (spec 2.2).
#include "models/layers.h"

#include "models/parameters.h"
#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

constexpr int64_t kDim = 8;
constexpr int64_t kHeads = 2;

// x [rows,in] W^T + bias, W [out,in].
Numbers linear_by_loops(const Numbers& x, const Numbers& weight, const Numbers& bias) {
  const size_t out = bias.size();
  const size_t in = weight.size() / out;
  Numbers y(x.size() / in * out);
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = bias[i % out];
    for (size_t j = 0; j < in; ++j) y[i] += x[i / out * in + j] * weight[i % out * in + j];
  }
  return y;
}

Numbers named(const std::string& name, int64_t count) {
  return drawn("block.attn." + name, count);
}

// Attn(X, Y) of one clip, with `key_bias` added to every key.
Numbers attention_by_loops(const Numbers& x, const Numbers& y, const Numbers& key_bias) {
  constexpr size_t kWidth = kDim / kHeads;
  Numbers kv_bias = key_bias;
  const Numbers v_bias = named("v_bias", kDim);
  kv_bias.insert(kv_bias.end(), v_bias.begin(), v_bias.end());
  const Numbers q = linear_by_loops(x, named("q.weight", kDim * kDim), named("q_bias", kDim));
  const Numbers kv = linear_by_loops(y, named("kv.weight", 2 * kDim * kDim), kv_bias);
  const size_t queries = x.size() / kDim;
  const size_t keys = y.size() / kDim;
  Numbers attended(x.size());
  for (size_t head = 0; head < kHeads; ++head)
    for (size_t i = 0; i < queries; ++i) {
      Numbers weights(keys, 0.0);
      double total = 0.0;
      for (size_t j = 0; j < keys; ++j) {
        for (size_t d = head * kWidth; d < (head + 1) * kWidth; ++d)
          weights[j] += q[i * kDim + d] * kv[j * 2 * kDim + d];
        weights[j] = std::exp(weights[j] / std::sqrt(static_cast<double>(kWidth)));
        total += weights[j];
      }
      for (size_t j = 0; j < keys; ++j)
        for (size_t d = head * kWidth; d < (head + 1) * kWidth; ++d)
          attended[i * kDim + d] += weights[j] / total * kv[j * 2 * kDim + kDim + d];
    }
  return linear_by_loops(attended, named("proj.weight", kDim * kDim), named("proj.bias", kDim));
}

void declare_attention(Builder& b) {
  for (const char* bias : {"q_bias", "v_bias", "proj.bias"})
    b.param(cat("block.attn.", bias), {kDim});
  b.param("block.attn.q.weight", {kDim, kDim});
  b.param("block.attn.kv.weight", {2 * kDim, kDim});
  b.param("block.attn.proj.weight", {kDim, kDim});
}

TEST(Attention, is_the_published_formula_whatever_is_added_to_all_keys) {
  const ModelConfig config = tiny_config();
  Trial trial;
  declare_attention(trial.b);
  const Value x = trial.b.input("x", {DType::f32, {2, 5, kDim}});
  const Value y = trial.b.input("y", {DType::f32, {2, 3, kDim}});
  trial.b.output("out", attention({trial.b, config}, "block.attn", x, y, kHeads));
  const Numbers out = trial.run().at("out");
  for (const Numbers& key_bias : {Numbers(kDim, 0.0), drawn("key bias", kDim)})
    for (int64_t clip = 0; clip < 2; ++clip)
      EXPECT_THAT(rows(out, clip, clip + 1, 5 * kDim),
                  near_all(attention_by_loops(
                      rows(drawn("x", 2 * 5 * kDim), clip, clip + 1, 5 * kDim),
                      rows(drawn("y", 2 * 3 * kDim), clip, clip + 1, 3 * kDim), key_bias)));
}

// How spec 2.2 indexes pixels, on cubes of 2x2x2 in a clip of 3x8x8x8 whose values count.
TEST(EmbeddingCubes, list_channel_time_row_and_column) {
  const ModelConfig config = tiny_config();
  Trial trial;
  const Value video = trial.b.input("video", {DType::f32, {1, 3, 8, 8, 8}});
  trial.b.output("embedding", embedding_cubes({trial.b, config}, video));
  trial.set("video", counting(3 * 512));
  Numbers embedding(3 * 512);
  for (size_t i = 0; i < 3 * 512; ++i) {
    const size_t c = i / 512, f = i / 64 % 8, y = i / 8 % 8, x = i % 8;
    const size_t token = (f / 2 * 4 + y / 2) * 4 + x / 2;
    const size_t q = (f % 2 * 2 + y % 2) * 2 + x % 2;
    embedding[token * 24 + c * 8 + q] = static_cast<double>(i);
  }
  const auto result = trial.run();
  EXPECT_EQ(result.at("embedding"), embedding);
}

// Tokens are convolution plus table: position 1 has sin 1 and cos 1 in its first columns.
TEST(Embed, adds_positions_by_raster_index) {
  const ModelConfig config = tiny_config();
  Trial trial;
  Taps taps;
  declare(trial.b, pretrain_parameters(config));
  const Value video = trial.b.input("video", {DType::f32, {2, 3, 8, 8, 8}});
  trial.b.output("tokens", embed({trial.b, config, false, &taps}, "encoder.", video));
  trial.b.output("bare", taps.at(0).value);
  const auto result = trial.run();
  for (size_t i = 0; i < result.at("tokens").size(); ++i) {
    const double j = static_cast<double>(i % 8 / 2 * 2);
    const double angle = static_cast<double>(i / 8 % 64) / std::pow(10000.0, j / 8.0);
    ASSERT_NEAR(result.at("tokens")[i] - result.at("bare")[i],
                i % 2 == 0 ? std::sin(angle) : std::cos(angle), 1e-7);
  }
}

TEST(LayerContext, reports_a_parameter_that_was_not_declared) {
  const ModelConfig config = tiny_config();
  Trial trial;
  EXPECT_THROW((LayerContext{trial.b, config}.param("norm.weight")), InternalError);
}

}  // namespace
}  // namespace grimace::testing
