// The masked autoencoder: what the prediction depends on, the order of visible tokens, and the
// embedding of visible cubes alone (spec 4).
#include "models/masked_autoencoder.h"

#include "ir/op_def.h"
#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

constexpr int64_t kVisible = 16;
constexpr int64_t kPixels = 3 * 8 * 8 * 8;

// 2 of the 8 places of every window of 2x4 are visible, other ones in the two windows and clips.
Numbers window_mask() {
  constexpr size_t kPlaces[2][4] = {{1, 6, 8, 15}, {0, 3, 10, 13}};
  Numbers mask(2 * 64, 1.0);
  for (size_t clip = 0; clip < 2; ++clip)
    for (size_t t = 0; t < 4; ++t)
      for (const size_t place : kPlaces[clip]) mask[clip * 64 + t * 16 + place] = 0.0;
  return mask;
}

struct PretrainTrial : Trial {
  explicit PretrainTrial(const ModelConfig& c) {
    const PretrainModel model =
        build_pretrain(b, c, {}, {.batch = 2, .visible = kVisible, .with_taps = true});
    b.output("pred", model.pred);
    b.output("target", model.target);
    b.output("loss", model.loss);
    for (const Tap& tap : model.taps)
      if (tap.name == "encoder.norm") b.output("encoded", tap.value);
    set("mask", window_mask());
  }
};

double largest_change(const Numbers& a, const Numbers& b) {
  double largest = 0.0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// The clips with other pixels in the tokens whose mask is `value`.
Numbers with_other_pixels(double value) {
  Numbers video = drawn("video", 2 * kPixels);
  const Numbers change = drawn("change", 2 * kPixels);
  const Numbers mask = window_mask();
  for (size_t i = 0; i < video.size(); ++i) {
    const size_t clip = i / kPixels, f = i / 64 % 8, y = i / 8 % 8, x = i % 8;
    if (mask[clip * 64 + (f / 2 * 4 + y / 2) * 4 + x / 2] == value) video[i] += change[i];
  }
  return video;
}

TEST(Pretrain, predicts_from_visible_pixels_alone) {
  for (const Encoder encoder : {Encoder::local_global, Encoder::joint}) {
    ModelConfig c = tiny_config();
    c.encoder = encoder;
    PretrainTrial trial(c);
    const auto before = trial.run();
    EXPECT_EQ(before.at("pred").size(), 2u * (64 - kVisible) * 24);
    trial.set("video", with_other_pixels(1.0));
    const auto masked = trial.run();
    EXPECT_EQ(masked.at("pred"), before.at("pred"));
    EXPECT_GT(largest_change(masked.at("target"), before.at("target")), 1e-3);
    trial.set("video", with_other_pixels(0.0));
    const auto visible = trial.run();
    EXPECT_EQ(visible.at("target"), before.at("target"));
    EXPECT_GT(largest_change(visible.at("pred"), before.at("pred")), 1e-3);
  }
}

// head(norm(mask token + position)), by loops.
Numbers silent_prediction(int64_t token) {
  Numbers x = drawn("mask_token", 8);
  double mean = 0.0;
  double variance = 0.0;
  for (size_t j = 0; j < 8; ++j) {
    const double exponent = static_cast<double>(j / 2 * 2) / 8.0;
    const double angle = static_cast<double>(token) / std::pow(10000.0, exponent);
    x[j] += j % 2 == 0 ? std::sin(angle) : std::cos(angle);
    mean += x[j] / 8;
  }
  for (const double v : x) variance += (v - mean) * (v - mean) / 8;
  Numbers pred = drawn("decoder.head.bias", 24);
  for (size_t k = 0; k < 24; ++k)
    for (size_t j = 0; j < 8; ++j)
      pred[k] += drawn("decoder.head.weight", 24 * 8)[k * 8 + j] *
                 ((x[j] - mean) / std::sqrt(variance + 1e-6) * drawn("decoder.norm.weight", 8)[j] +
                  drawn("decoder.norm.bias", 8)[j]);
  return pred;
}

// With a decoder block that adds nothing, only mask token and position are left.
TEST(Pretrain, predicts_masked_tokens_alone_in_raster_order) {
  PretrainTrial trial(tiny_config());
  for (const char* branch : {"attn.proj", "mlp.fc2"}) {
    const std::string name = cat("decoder.blocks.0.", branch);
    const Value weight = trial.graph.find_input(name + ".weight");
    trial.set(name + ".weight", Numbers(static_cast<size_t>(weight.shape().numel()), 0.0));
    trial.set(name + ".bias", Numbers(8, 0.0));
  }
  const Numbers mask = window_mask();
  Numbers expected;
  for (size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0.0) continue;
    const Numbers one = silent_prediction(static_cast<int64_t>(i % 64));
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_THAT(trial.run().at("pred"), near_all(expected, 1e-5));  // positions are stored as f32
}

struct Orders {
  std::map<std::string, Numbers> reference, raster;
};
Orders both_orders(const std::array<int64_t, 3>& region) {
  ModelConfig c = tiny_config();
  c.region = region;
  Orders orders;
  orders.reference = PretrainTrial(c).run();
  c.visible_order = VisibleOrder::raster;
  orders.raster = PretrainTrial(c).run();
  return orders;
}

TEST(Pretrain, predicts_otherwise_in_the_other_order_of_visible_tokens) {
  const Orders orders = both_orders({2, 2, 4});
  EXPECT_GT(largest_change(orders.reference.at("pred"), orders.raster.at("pred")), 1e-3);
}

// Which of the encoded windows of clip 0 change with the pixels of time step 0, lower window. No
// stage moves anything between local tokens here.
std::vector<int64_t> windows_changed(VisibleOrder order) {
  ModelConfig c = tiny_config();
  c.first_cross = c.no_second = c.no_third = true;
  c.visible_order = order;
  PretrainTrial trial(c);
  const Numbers before = trial.run().at("encoded");
  Numbers video = drawn("video", 2 * kPixels);
  for (size_t i = 0; i < kPixels; ++i)
    if (i / 64 % 8 < 2 && i / 8 % 8 >= 4) video[i] *= -1.0;
  trial.set("video", video);
  const Numbers after = trial.run().at("encoded");
  constexpr int64_t kWindow = 2 * 8;  // its visible tokens, 8 numbers wide
  std::vector<int64_t> changed;
  for (int64_t w = 0; w < 2 * kVisible / 2; ++w)
    if (rows(before, w, w + 1, kWindow) != rows(after, w, w + 1, kWindow)) changed.push_back(w);
  return changed;
}

// Region-major, the window is the third of its region of 2 windows by 2 time steps, and takes the
// positions of time step 1, upper window.
TEST(Pretrain, keeps_visible_tokens_by_region_in_reference_order_alone) {
  EXPECT_EQ(windows_changed(VisibleOrder::reference), (std::vector<int64_t>{2}));
  EXPECT_EQ(windows_changed(VisibleOrder::raster), (std::vector<int64_t>{1}));
}

TEST(Pretrain, has_one_order_where_regions_are_thin_or_alone_in_space) {
  for (const std::array<int64_t, 3>& region :
       {std::array<int64_t, 3>{1, 2, 4}, std::array<int64_t, 3>{2, 4, 4}}) {
    const Orders orders = both_orders(region);
    EXPECT_EQ(orders.reference, orders.raster);
  }
}

// Rows that the cube embedding's product computes for both clips.
int64_t embedded_rows(const Graph& graph) {
  for (const Node& node : graph.nodes())
    if (node.is(op_linear) && node.scope() == "encoder/patch_embed")
      return node.out().numel() / node.out().shape[-1];
  return 0;
}

TEST(Pretrain, embeds_visible_cubes_alone_once_the_gather_is_hoisted) {
  // Without taps: a tapped embedding is wanted whole.
  Trial trial;
  const PretrainModel model =
      build_pretrain(trial.b, tiny_config(), {}, {.batch = 2, .visible = kVisible});
  trial.b.output("pred", model.pred);
  trial.b.output("loss", model.loss);
  trial.set("mask", window_mask());
  const auto before = trial.run();
  EXPECT_EQ(embedded_rows(trial.graph), 2 * 64);
  hoist_gather(trial.graph);
  EXPECT_EQ(embedded_rows(trial.graph), 2 * kVisible);
  const auto after = trial.run();
  EXPECT_THAT(after.at("pred"), near_all(before.at("pred"), 0.0));
  EXPECT_EQ(after.at("loss"), before.at("loss"));
}

TEST(Pretrain, has_no_target_without_a_loss) {
  Graph graph;
  Builder b(graph);
  const PretrainModel model =
      build_pretrain(b, tiny_config(), {}, {.visible = kVisible, .with_loss = false});
  EXPECT_FALSE(model.target);
  EXPECT_FALSE(model.loss);
  EXPECT_EQ(model.pred.shape(), (Shape{1, 64 - kVisible, 24}));
}

TEST(Pretrain, refuses_masks_without_visible_or_without_masked_tokens) {
  for (const int64_t visible : {0, -1, 64, 65}) {
    Graph graph;
    Builder b(graph);
    EXPECT_EQ(error_of([&] { build_pretrain(b, tiny_config(), {}, {.visible = visible}); }),
              cat("model: of 64 tokens ", visible,
                  " are visible; at least one must be visible and one masked"));
  }
}

TEST(Pretrain, refuses_visible_tokens_that_regions_cannot_share) {
  Graph graph;
  Builder b(graph);
  EXPECT_EQ(error_of([&] { build_pretrain(b, tiny_config(), {}, {.visible = 12}); }),
            "model: 12 visible tokens cannot be shared equally by 2 windows in each of 4 time "
            "steps; the mask must leave the same number in each");
}

}  // namespace
}  // namespace grimace::testing
