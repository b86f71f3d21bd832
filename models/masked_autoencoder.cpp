#include "models/masked_autoencoder.h"

#include "ir/op_def.h"
#include "models/lgi.h"
#include "models/parameters.h"

namespace grimace {
namespace {

// Visible tokens [B,Nv,C] -> encoded [B,Nv,C], in the order the decoder will see them.
Value encode(const LayerContext& c, Value tokens) {
  if (c.config.encoder == Encoder::joint) {
    tokens = run_blocks(c, "encoder.", tokens);
  } else {
    const Regions regions = run_blocks(c, "encoder.", partition_visible(c, "encoder.", tokens));
    tokens = c.config.visible_order == VisibleOrder::raster
                 ? local_tokens_in_raster_order(c, regions)
                 : local_tokens(c.b, regions);
  }
  const Value encoded = layer_norm(c, "encoder.norm", tokens);
  c.tap("encoder.norm", encoded);
  return encoded;
}

// Spec 4.3. The visible tokens take the positions of the visible places in raster order, whatever
// order they are in: the published program does so, and its weights were trained that way.
Value decode(const LayerContext& c, Value encoded, Value visible, Value masked) {
  Builder& b = c.b;
  const int64_t dim = c.config.decoder_dim;
  const Value table = b.position_table(c.config.tokens(), dim);
  Value bridge;
  {
    const Scope scope(b, "encoder_to_decoder");
    bridge = b.linear(encoded, c.param("encoder_to_decoder.weight"));
  }
  c.tap("encoder_to_decoder", bridge);
  const Value seen = bridge + b.gather_rows(table, visible);
  const Value unseen = b.gather_rows(table, masked) + b.reshape(c.param("mask_token"), {dim});
  Value x = b.concat({seen, unseen}, 1);
  for (int64_t i = 0; i < c.config.decoder_depth; ++i) {
    const std::string name = "blocks." + std::to_string(i);
    const Scope scope(b, name);
    x = plain_block(c, "decoder." + name, x, c.config.decoder_heads, 0.0);
    c.tap("decoder." + name, x);
  }
  const Scope scope(b, "head");
  x = b.slice(x, 1, visible.dim(1), x.dim(1));
  return linear(c, "decoder.head", layer_norm(c, "decoder.norm", x));
}

}  // namespace

PretrainModel build_pretrain(Builder& b, const ModelConfig& config, const TargetConfig& target,
                             const PretrainOptions& options) {
  validate(config);
  validate(target, config);
  const int64_t tokens = config.tokens();
  check(options.visible > 0 && options.visible < tokens, "model: of ", tokens, " tokens ",
        options.visible, " are visible; at least one must be visible and one masked");
  PretrainModel model;
  const LayerContext c{b, config, options.training, options.with_taps ? &model.taps : nullptr};
  const Shape clips{options.batch, 3, config.frames, config.image, config.image};
  Value video = b.input("video", {options.bytes ? DType::u8 : DType::f32, clips});
  if (options.bytes) video = b.emit(op_normalise_pixels, {video});
  const Value mask = b.input("mask", {DType::u8, {options.batch, tokens}});
  declare(b, pretrain_parameters(config));
  const Value visible = b.mask_indices(mask, 0, options.visible);
  const Value masked = b.mask_indices(mask, 1, tokens - options.visible);
  Value encoded;
  {
    const Scope scope(b, "encoder");
    encoded = encode(c, b.gather_rows(embed(c, "encoder.", video), visible));
  }
  {
    const Scope scope(b, "decoder");
    model.pred = decode(c, encoded, visible, masked);
  }
  if (!options.with_loss) return model;
  model.target = reconstruction_target(c, target, video, masked);
  model.loss = reconstruction_loss(b, target, model.pred, model.target);
  return model;
}

}  // namespace grimace
