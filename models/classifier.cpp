#include "models/classifier.h"

#include "models/lgi.h"
#include "models/parameters.h"

namespace grimace {
namespace {

// [B,n,C]: the tokens that are averaged.
Value chosen_tokens(const LayerContext& c, const Regions& regions) {
  switch (c.config.pool) {
    case PoolTokens::region:
      return representatives(c.b, regions);
    case PoolTokens::org:
      return local_tokens(c.b, regions);
    case PoolTokens::all:
      break;
  }
  return c.b.reshape(regions.x, {regions.batch, -1, regions.x.dim(2)});
}

Value encode(const LayerContext& c, Value tokens) {
  if (c.config.encoder == Encoder::joint) return run_blocks(c, "", tokens);
  return chosen_tokens(c, run_blocks(c, "", partition(c, "", tokens)));
}

// What the model should answer [B,classes]: given as it is, or labels smoothed to 1 - s + s/C and
// s/C (spec 7.5).
Value targets(Builder& b, int64_t classes, const ClassifierOptions& options) {
  if (options.soft_targets) return b.input("targets", {DType::f32, {options.batch, classes}});
  const Value target = b.one_hot(b.input("labels", {DType::i32, {options.batch}}), classes);
  const double smoothing = options.label_smoothing;
  if (smoothing == 0.0) return target;
  return target * (1.0 - smoothing) + smoothing / static_cast<double>(classes);
}

}  // namespace

ClassifierModel build_classifier(Builder& b, const ModelConfig& config,
                                 const ClassifierOptions& options) {
  check(config.encoder == Encoder::local_global || config.pool == PoolTokens::org,
        "model: the joint encoder has no region tokens to pool; pool 'org'");
  ClassifierModel model;
  const LayerContext c{b, config, options.training, options.with_taps ? &model.taps : nullptr};
  const Value video =
      b.input("video", {DType::f32, {options.batch, 3, config.frames, config.image, config.image}});
  declare(b, classifier_parameters(config));
  Value tokens;
  {
    const Scope scope(b, "encoder");
    tokens = encode(c, embed(c, "", video));
  }
  const Scope scope(b, "head");
  model.feature = layer_norm(c, "fc_norm", b.reduce_mean(tokens, {1}));
  model.logits = linear(c, "head", model.feature);
  if (options.with_loss) {
    const Scope loss(b, "loss");
    const Value target = targets(b, config.classes, options);
    model.loss = b.reduce_mean(b.cross_entropy(model.logits, target), {0});
  }
  return model;
}

}  // namespace grimace
