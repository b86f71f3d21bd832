#include "tools/recipe_model.h"

#include "ir/passes/passes.h"
#include "models/parameters.h"
#include "runtime/log.h"
#include "runtime/param_groups.h"

namespace grimace {
namespace {

// Keeps the loss alive through the forward passes; the step's own output "loss" comes after them.
constexpr const char* kForwardLoss = "forward_loss";

std::array<int, 3> ints(const Recipe::Size3& size) {
  return {static_cast<int>(size[0]), static_cast<int>(size[1]), static_cast<int>(size[2])};
}

PoolTokens pool_from(const std::string& name) {
  if (name == "org") return PoolTokens::org;
  return name == "all" ? PoolTokens::all : PoolTokens::region;
}

// A clip is there in every version (classifier) or sample (pre-training) of it.
int64_t batch_rows(const Recipe& recipe) {
  const bool classifier = is_classifier(recipe.model.name);
  return recipe.optim.batch_size *
         (classifier ? recipe.augment.num_sample : recipe.data.num_samples);
}

}  // namespace

ModelConfig model_config(const Recipe& recipe) {
  const Recipe::Model& m = recipe.model;
  ModelConfig c;
  c.encoder = m.attn_type == "joint" ? Encoder::joint : Encoder::local_global;
  c.image = m.image;
  c.patch = m.patch;
  c.frames = m.frames;
  c.tubelet = m.tubelet;
  c.embed_dim = m.embed_dim;
  c.heads = m.heads;
  c.depth = m.encoder_depth;
  c.mlp_ratio = m.mlp_ratio;
  c.drop_path = m.drop_path;
  c.region = m.region;
  c.first_cross = m.first_attn_type == "cross";
  c.third_self = m.third_attn_type == "self";
  c.share_first_third = m.share_first_third;
  c.share_all = m.share_all;
  c.no_second = m.no_second;
  c.no_third = m.no_third;
  c.decoder_dim = m.decoder_dim;
  c.decoder_heads = m.decoder_heads;
  c.decoder_depth = m.decoder_depth;
  c.visible_order =
      m.decoder_visible_order == "raster" ? VisibleOrder::raster : VisibleOrder::reference;
  if (m.classes > 0) c.classes = m.classes;
  c.pool = c.encoder == Encoder::joint ? PoolTokens::org : pool_from(m.classify_token);
  return c;
}

TargetConfig target_config(const Recipe& recipe) {
  return {recipe.target.normalise, recipe.target.frame_diff, recipe.target.group_size,
          recipe.target.diff_weight};
}

MaskConfig mask_config(const Recipe& recipe) {
  const ModelConfig model = model_config(recipe);
  MaskConfig mask;
  mask.type = mask_type_from(recipe.mask.type);
  mask.ratio = recipe.mask.ratio;
  mask.window = ints(recipe.mask.window);
  mask.symmetry = mask_symmetry_from(recipe.mask.symmetry);
  mask.grid = ints(model.grid());
  if (model.encoder == Encoder::local_global) mask.region = ints(model.region);
  return mask;
}

MixupConfig mixup_config(const Recipe& recipe) {
  const Recipe::Augment& a = recipe.augment;
  return {a.mixup, a.cutmix, a.mixup_prob, a.mixup_switch_prob, a.smoothing};
}

LoadingConfig loading_config(const Recipe& recipe) {
  return {.workers = static_cast<int>(recipe.data.workers),
          .max_bad = recipe.data.max_bad,
          .warn = [](const std::string& text) { warn(text); }};
}

TrainStepOptions train_step_options(const Recipe& recipe) {
  const Recipe::Optim& o = recipe.optim;
  return {o.betas[0],
          o.betas[1],
          o.eps,
          o.clip_grad,
          static_cast<int>(o.accumulate),
          o.model_ema ? std::optional(o.model_ema_decay) : std::nullopt};
}

Schedule schedule(const Recipe& recipe, int64_t batches_per_epoch) {
  const Recipe::Optim& o = recipe.optim;
  const int64_t steps_per_epoch = std::max<int64_t>(batches_per_epoch / o.accumulate, 1);
  const int64_t total_batch = o.batch_size * o.accumulate;
  Schedule s;
  s.lr = scaled_lr(o.lr, total_batch);
  s.min_lr = scaled_lr(o.min_lr, total_batch);
  s.weight_decay = o.weight_decay;
  s.weight_decay_end = o.weight_decay_end.value_or(o.weight_decay);
  s.total_steps = o.steps > 0 ? o.steps : o.epochs * steps_per_epoch;
  s.warmup_steps =
      o.warmup_steps > 0
          ? o.warmup_steps
          : static_cast<int64_t>(o.warmup_epochs * static_cast<double>(steps_per_epoch));
  // A run cut short by `steps` keeps a warm-up of its own length.
  if (o.steps > 0 && o.warmup_steps == 0)
    s.warmup_steps = std::min(s.warmup_steps, s.total_steps / 10);
  s.validate();
  return s;
}

std::unique_ptr<Graph> forward_graph(const Recipe& recipe, int64_t batch, bool training) {
  auto graph = std::make_unique<Graph>("model");
  Builder b(*graph);
  const ModelConfig config = model_config(recipe);
  if (is_classifier(recipe.model.name)) {
    const ClassifierModel model = build_classifier(b, config,
                                                   {.batch = batch,
                                                    .training = training,
                                                    .with_loss = training,
                                                    .soft_targets = mixup_config(recipe).active(),
                                                    .label_smoothing = recipe.augment.smoothing});
    b.output("logits", model.logits);
    b.output("feature", model.feature);
    if (training) b.output("loss", model.loss);
    return graph;
  }
  const MaskGenerator mask(mask_config(recipe));
  const PretrainModel model = build_pretrain(b, config, target_config(recipe),
                                             {.batch = batch,
                                              .visible = mask.visible_count(),
                                              .training = training,
                                              .bytes = training,
                                              .with_loss = training});
  b.output("pred", model.pred);
  if (training) b.output("loss", model.loss);
  return graph;
}

std::unique_ptr<Graph> loss_graph(const Recipe& recipe) {
  auto graph = forward_graph(recipe, batch_rows(recipe), true);
  const Value loss = graph->find_output("loss");
  graph->clear_outputs();  // a step reports its loss; predictions would only be kept for nobody
  graph->add_output(kForwardLoss, loss);
  return graph;
}

std::map<std::string, ParamRule> param_rules(const Recipe& recipe, const Graph& graph) {
  const bool classifier = is_classifier(recipe.model.name);
  const ParamGroupRules groups{.mode = classifier ? GroupMode::finetune : GroupMode::pretrain,
                               .layer_decay = recipe.optim.layer_decay,
                               .depth = recipe.model.encoder_depth};
  std::map<std::string, ParamRule> rules;
  for (const Value& param : graph.inputs(Role::param)) {
    const ParamGroup group = param_group(param.name(), param.shape(), groups);
    rules[param.name()] = {group.weight_decay > 0.0, group.lr_scale};
  }
  return rules;
}

void add_train_step(Graph& graph, const Recipe& recipe) {
  const Value loss = graph.find_output(kForwardLoss);
  graph.clear_outputs();
  Builder b(graph);
  add_train_step(b, loss, param_rules(recipe, graph), train_step_options(recipe));
}

std::unique_ptr<Graph> training_graph(const Recipe& recipe) {
  auto graph = loss_graph(recipe);
  run_passes(*graph, forward_passes());
  add_train_step(*graph, recipe);
  run_passes(*graph, training_passes());
  return graph;
}

}  // namespace grimace
