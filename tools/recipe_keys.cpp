// THE table of recipe keys: names, meanings, limits and flags, once. TOML reading, --set, flags,
// the printed configuration and docs/flags.md all follow it; types and defaults are those of
// Recipe. A new setting is a field in recipe.h and a row here.
#include "tools/recipe_keys.h"

#include <algorithm>
#include <set>

#include "data/labels.h"
#include "ir/error.h"
#include "tools/suggest.h"

namespace grimace {
namespace {

// The key's name is the path of its field, so that the two cannot differ.
#define KEY(path) .name = #path, .slot = [](Recipe& r) -> Slot { return &r.path; }

std::vector<Key> model_keys() {
  return {
      {KEY(model.name),
       .meaning = "named configuration; sets attention type, widths, heads, depths",
       .choices = model_names(), .authors = {{"model"}}, .changes_result = false},
      {KEY(model.attn_type), .meaning = "encoder: LGI-Former (local_global) or plain ViT (joint)",
       .choices = {"local_global", "joint"}, .authors = {{"attn_type"}}},
      {KEY(model.image), .meaning = "height and width of a frame", .unit = "pixels", .min = 1,
       .max = 4096, .authors = {{"input_size"}}},
      {KEY(model.frames), .meaning = "frames of a clip", .min = 1, .max = 1024,
       .authors = {{"num_frames"}}},
      {KEY(model.tubelet), .meaning = "frames of a cube", .min = 1, .max = 64},
      {KEY(model.patch), .meaning = "height and width of a cube", .unit = "pixels", .min = 1,
       .max = 256},
      {KEY(model.embed_dim), .meaning = "encoder width", .min = 1, .max = 16384},
      {KEY(model.heads), .meaning = "encoder attention heads", .min = 1, .max = 256},
      {KEY(model.encoder_depth),
       .meaning = "encoder blocks; fixed by the authors' names without no_depth", .min = 1,
       .max = 256, .authors = {{"encoder_depth"}, {"depth"}}},
      {KEY(model.decoder_dim), .meaning = "decoder width", .min = 1, .max = 16384},
      {KEY(model.decoder_heads), .meaning = "decoder attention heads", .min = 1, .max = 256},
      {KEY(model.decoder_depth), .meaning = "decoder blocks", .min = 1, .max = 256,
       .authors = {{"decoder_depth"}}},
      {KEY(model.mlp_ratio), .meaning = "hidden width of a feed-forward over its block's width",
       .min = 0.125, .max = 64},
      {KEY(model.region), .meaning = "LGI region (time, rows, columns); must tile the token grid",
       .unit = "tokens", .min = 1, .max = 4096, .authors = {{"lg_region_size"}}},
      {KEY(model.first_attn_type), .meaning = "LGI stage 1; cross updates representatives only",
       .choices = {"self", "cross"}, .authors = {{"lg_first_attn_type"}}},
      {KEY(model.third_attn_type), .meaning = "LGI stage 3; self attends inside each region",
       .choices = {"cross", "self"}, .authors = {{"lg_third_attn_type"}}},
      {KEY(model.share_first_third), .meaning = "LGI stage 3 uses the attention weights of stage 1",
       .authors = {{"lg_attn_param_sharing_first_third"}}},
      {KEY(model.share_all), .meaning = "LGI stages 2 and 3 use the attention weights of stage 1",
       .authors = {{"lg_attn_param_sharing_all"}}},
      {KEY(model.no_second), .meaning = "leave LGI stage 2 out", .authors = {{"lg_no_second"}}},
      {KEY(model.no_third), .meaning = "leave LGI stage 3 out", .authors = {{"lg_no_third"}}},
      {KEY(model.drop_path), .meaning = "stochastic depth of the last block, linear from 0",
       .min = 0, .max = 0.99, .authors = {{"drop_path"}}},
      {KEY(model.decoder_visible_order),
       .meaning = "decoder positions of visible tokens: as published (reference) or consistent",
       .choices = {"reference", "raster"}},
      {KEY(model.classes),
       .meaning = "classes of a classifier; 0 = those of data.classes or the list", .min = 0,
       .max = kMaxClasses, .authors = {{"nb_classes"}}},
      {KEY(model.classify_token),
       .meaning = "tokens a classifier averages: representatives (region), local (org) or both",
       .choices = {"region", "org", "all"}, .authors = {{"lg_classify_token_type"}}},
  };
}

std::vector<Key> mask_and_target_keys() {
  return {
      {KEY(mask.type), .meaning = "mask generator; local_global needs part_window",
       .choices = {"part_window", "tube"}, .authors = {{"mask_type"}}},
      {KEY(mask.ratio), .meaning = "masked fraction of each window (part_window) or frame (tube)",
       .min = 0, .max = 1, .authors = {{"mask_ratio"}}},
      {KEY(mask.window), .meaning = "part_window size (time, rows, columns); time is not used",
       .unit = "tokens", .min = 1, .max = 4096, .authors = {{"part_win_size"}}},
      {KEY(mask.symmetry),
       .meaning = "confine visible cubes to one half of the face, drawn per mask or per window",
       .choices = {"none", "global", "local"},
       .authors = {{"part_apply_symmetry", "global", "none"}}},
      {KEY(target.normalise), .meaning = "normalise each target cube per channel",
       .authors = {{"normlize_target"}}},
      {KEY(target.frame_diff), .meaning = "later frames of a group are differences to its first",
       .authors = {{"use_frame_diff_as_target"}}},
      {KEY(target.group_size), .meaning = "frames of a difference group", .min = 1, .max = 1024,
       .authors = {{"frame_diff_group_size"}}},
      {KEY(target.diff_weight),
       .meaning = "weight w of the difference half, 1-w of the other; none = plain mean", .min = 0,
       .max = 1, .authors = {{"target_diff_weight"}}},
  };
}

std::vector<Key> data_keys() {
  return {
      {KEY(data.list), .meaning = "list file of the training clips", .flags = {{"data"}},
       .authors = {{"data_path"}}},
      {KEY(data.root), .meaning = "folder that relative clip paths start from; empty = the list's",
       .flags = {{"root"}}},
      {KEY(data.sampling_rate), .meaning = "take every n-th frame", .unit = "frames", .min = 1,
       .max = 1024, .authors = {{"sampling_rate"}}},
      {KEY(data.num_samples), .meaning = "clips drawn from one video, sharing one mask", .min = 1,
       .max = 64, .authors = {{"num_samples"}}},
      {KEY(data.workers),
       .meaning = "decoding threads beside the training one; the result is the same", .min = 0,
       .max = 256, .flags = {{"workers"}}, .authors = {{"num_workers"}}, .changes_result = false},
      {KEY(data.no_augmentation), .meaning = "no random crop; resize only",
       .authors = {{"no_augmentation"}}},
      {KEY(data.hold_batch),
       .meaning = "train on the first batch again and again, to see that the model can learn it"},
      {KEY(data.max_bad), .meaning = "largest fraction of unreadable clips to go on with", .min = 0,
       .max = 1, .flags = {{"max_bad"}}, .changes_result = false},
      {KEY(data.val), .meaning = "list of labelled clips to validate on after every epoch",
       .flags = {{"val"}}, .changes_result = false},
      {KEY(data.classes),
       .meaning =
           "names of the classes, in the order of their numbers; empty = as the list has them",
       .flags = {{"classes"}}},
      {KEY(data.folds), .meaning = "folds that the data set is published with; 0 = any", .min = 0,
       .max = 1000, .changes_result = false},
      {KEY(data.fold),
       .meaning = "train and test on this fold of a folder of lists, in a folder of the run",
       .min = 0, .max = 1000, .flags = {{"fold"}}},
      {KEY(data.test_num_segment), .meaning = "temporal segments of a clip that are evaluated",
       .min = 1, .max = 100, .authors = {{"test_num_segment"}}, .changes_result = false},
      {KEY(data.test_num_crop), .meaning = "crops of each segment that are evaluated", .min = 1,
       .max = 100, .authors = {{"test_num_crop"}}, .changes_result = false},
  };
}

std::vector<Key> augment_keys() {
  return {
      {KEY(augment.aa), .meaning = "RandAugment of fine-tuning, or none", .authors = {{"aa"}}},
      {KEY(augment.crop_area), .meaning = "fraction of a frame that the random crop keeps",
       .min = 1e-3, .max = 1},
      {KEY(augment.flip), .meaning = "probability of the mirror image", .min = 0, .max = 1},
      {KEY(augment.reprob), .meaning = "probability of random erasing", .min = 0, .max = 1,
       .authors = {{"reprob"}}},
      {KEY(augment.recount), .meaning = "boxes that are erased", .min = 1, .max = 100,
       .authors = {{"recount"}}},
      {KEY(augment.num_sample), .meaning = "versions of each clip in a batch", .min = 1, .max = 64,
       .authors = {{"num_sample"}}},
      {KEY(augment.mixup), .meaning = "alpha of mixup; 0 = off", .min = 0, .max = 100,
       .authors = {{"mixup"}}},
      {KEY(augment.cutmix), .meaning = "alpha of CutMix; 0 = off", .min = 0, .max = 100,
       .authors = {{"cutmix"}}},
      {KEY(augment.mixup_prob), .meaning = "probability of mixing a batch", .min = 0, .max = 1,
       .authors = {{"mixup_prob"}}},
      {KEY(augment.mixup_switch_prob), .meaning = "probability of CutMix where both are on",
       .min = 0, .max = 1, .authors = {{"mixup_switch_prob"}}},
      {KEY(augment.smoothing), .meaning = "label smoothing", .min = 0, .max = 0.999,
       .authors = {{"smoothing"}}},
  };
}

std::vector<Key> optim_keys() {
  return {
      {KEY(optim.name), .meaning = "optimiser", .choices = {"adamw"}, .authors = {{"opt"}}},
      {KEY(optim.lr), .meaning = "peak learning rate; scaled by batch_size * accumulate / 256",
       .unit = "per 256 clips", .min = 0, .max = 100, .authors = {{"lr"}}},
      {KEY(optim.min_lr), .meaning = "final learning rate of the cosine; scaled like lr",
       .unit = "per 256 clips", .min = 0, .max = 100, .authors = {{"min_lr"}}},
      {KEY(optim.betas), .meaning = "decay of the first and second moment", .min = 0,
       .max = 0.999999, .authors = {{"opt_betas"}}},
      {KEY(optim.eps), .meaning = "added to the root of the second moment", .min = 0, .max = 1,
       .authors = {{"opt_eps"}}},
      {KEY(optim.weight_decay), .meaning = "decoupled weight decay", .min = 0, .max = 10,
       .authors = {{"weight_decay"}}},
      {KEY(optim.weight_decay_end),
       .meaning = "weight decay at the end, by cosine; none = constant", .min = 0, .max = 10,
       .authors = {{"weight_decay_end"}}},
      {KEY(optim.layer_decay),
       .meaning = "fine-tuning: rate of a layer over that of the next; 1 = all learn alike",
       .min = 1e-6, .max = 1, .authors = {{"layer_decay"}}},
      {KEY(optim.clip_grad), .meaning = "largest gradient norm; none = no clipping", .min = 1e-12,
       .max = 1e12, .authors = {{"clip_grad"}}},
      {KEY(optim.model_ema), .meaning = "keep an exponential moving average of the parameters",
       .authors = {{"model_ema"}}},
      {KEY(optim.model_ema_decay), .meaning = "share of the average that a step keeps", .min = 0,
       .max = 1, .authors = {{"model_ema_decay"}}},
      {KEY(optim.warmup_epochs),
       .meaning = "linear warm-up from 0; a twentieth of the run where no warm-up is given",
       .unit = "epochs", .min = 0, .max = 1e6, .authors = {{"warmup_epochs"}}},
      {KEY(optim.warmup_steps), .meaning = "warm-up in steps, instead of epochs when positive",
       .unit = "steps", .min = -1, .max = 1e12, .authors = {{"warmup_steps"}}},
      {KEY(optim.batch_size),
       .meaning = "clips of a batch; each counts once, however many versions it is there in",
       .unit = "clips", .min = 1, .max = 65536, .authors = {{"batch_size"}}},
      {KEY(optim.accumulate), .meaning = "batches whose gradients make one step", .unit = "batches",
       .min = 1, .max = 65536, .authors = {{"update_freq"}}},
      {KEY(optim.epochs), .meaning = "length of the run and its schedule", .unit = "epochs",
       .min = 1, .max = 1e6, .authors = {{"epochs"}}},
      {KEY(optim.steps), .meaning = "length of the run and its schedule in steps; 0 = by epochs",
       .unit = "steps", .min = 0, .max = 1e12, .flags = {{"steps"}}},
  };
}

std::vector<Key> run_keys() {
  return {
      {KEY(run.init), .meaning = "weights to start from: run folder, checkpoint or .pth file",
       .flags = {{"init"}}, .authors = {{"finetune"}}},
      {KEY(run.out), .meaning = "run folder: checkpoints, metrics.jsonl, recipe",
       .flags = {{"out"}}, .authors = {{"output_dir"}}, .changes_result = false},
      {KEY(run.log_dir), .meaning = "folder of metrics.jsonl; empty = the run folder",
       .authors = {{"log_dir"}}, .changes_result = false},
      {KEY(run.seed), .meaning = "seed of initialisation, data order, masks and crops", .min = 0,
       .max = 4294967295.0, .authors = {{"seed"}}},
      {KEY(run.precision), .meaning = "of products; weights and sums stay f32",
       .choices = {"f32", "bf16", "tf32"}, .flags = {{"precision"}}},
      {KEY(run.backend), .meaning = "where the graph runs; reference is slow and exact",
       .choices = {"cpu", "cuda", "reference"}, .flags = {{"backend"}}},
      {KEY(run.threads), .meaning = "compute threads; 0 = one per core", .min = 0, .max = 1024,
       .flags = {{"threads"}}, .changes_result = false},
      {KEY(run.device), .meaning = "which GPU, for the cuda backend", .min = 0, .max = 1023,
       .flags = {{"device"}}, .changes_result = false},
      {KEY(run.memory_budget),
       .meaning = "memory that a step may plan, by computing values again; 0 = no limit",
       .unit = "MiB", .min = 0, .max = 1e7, .flags = {{"memory-budget"}}, .changes_result = false},
      {KEY(run.save_every_epochs), .meaning = "checkpoint every so many epochs, and at the end",
       .unit = "epochs", .min = 1, .max = 1e6, .authors = {{"save_ckpt_freq"}},
       .changes_result = false},
      {KEY(run.save_every_steps), .meaning = "checkpoint every so many steps; 0 = by epochs only",
       .unit = "steps", .min = 0, .max = 1e12, .changes_result = false},
      {KEY(run.keep_last), .meaning = "newest checkpoints that are kept", .min = 1, .max = 1e6,
       .changes_result = false},
      {KEY(run.resume),
       .meaning =
           "continue the newest checkpoint of the run folder (auto), of a path, or start new",
       .flags = {},
       .authors = {{"resume"}, {"auto_resume", "auto", "none"}, {"no_auto_resume", "none", "auto"}},
       .changes_result = false},
      {KEY(run.val_metric), .meaning = "what decides which epoch is kept as the best",
       .choices = {"acc1", "acc5", "uar", "war", "micro_f1", "macro_f1", "weighted_f1"},
       .authors = {{"val_metric"}}, .changes_result = false},
      {KEY(run.progress), .meaning = "how progress is shown; auto = bar on a terminal, else plain",
       .choices = {"auto", "bar", "plain", "json"}, .flags = {{"progress"}},
       .changes_result = false},
  };
}
#undef KEY

// Beside all of augment.
const std::set<std::string> kClassifierOnly{"model.classes",      "model.classify_token",
                                            "data.val",           "data.classes",
                                            "data.folds",         "data.fold",
                                            "data.test_num_crop", "data.test_num_segment",
                                            "run.val_metric",     "optim.layer_decay"};

std::vector<Key> all_keys() {
  std::vector<Key> keys;
  for (const auto& group : {model_keys(), mask_and_target_keys(), data_keys(), augment_keys(),
                            optim_keys(), run_keys()})
    keys.insert(keys.end(), group.begin(), group.end());
  for (Key& key : keys)
    key.classifier_only = key.name.starts_with("augment.") || kClassifierOnly.contains(key.name);
  return keys;
}

// Of two last parts of names; "depth" is near to "encoder_depth".
size_t leaf_distance(std::string_view a, std::string_view b) {
  const auto [part, whole] = a.size() < b.size() ? std::pair(a, b) : std::pair(b, a);
  const bool is_part = part.size() > 2 && whole.find(part) != std::string_view::npos;
  return is_part && a != b ? 1 : edit_distance(a, b);
}

// Nearest by the whole name, by its last part, or by a flag's name written where a key belongs.
const Key& nearest_key(std::string_view name) {
  name = name.substr(0, 64);  // keeps the cost of a hostile name small
  const auto dot = name.rfind('.');
  const std::string_view leaf = name.substr(dot + 1);
  const auto distance = [&](const Key& key) {
    const bool other_group = dot != name.npos && !key.name.starts_with(name.substr(0, dot + 1));
    size_t best = leaf_distance(leaf, key.name.substr(key.name.find('.') + 1));
    for (const auto* flags : {&key.flags, &key.authors})
      for (const Flag& flag : *flags) best = std::min(best, edit_distance(leaf, flag.name));
    const size_t whole = edit_distance(name, key.name);
    return std::pair(std::min(whole, best + (other_group ? 2 : 0)), whole);
  };
  return *std::ranges::min_element(recipe_keys(), {}, distance);
}

}  // namespace

bool Key::is_bool() const {
  Recipe recipe;
  return std::holds_alternative<bool*>(slot(recipe));
}

std::span<const Key> recipe_keys() {
  static const std::vector<Key> keys = all_keys();
  return keys;
}

std::span<const IdleFlag> idle_flags() {
  static const std::vector<IdleFlag> flags{
      {"color_jitter", "it had none in the authors' program either"},
      {"data_set", "labels and classes are those of the list"},
      {"dist_eval", "evaluation runs in one process"},
      {"no_pin_mem", "memory is managed by the backend"},
      {"pin_mem", "memory is managed by the backend"},
      {"short_side_size", "frames are resized to model.image"},
      {"warmup_lr", "warm-up starts at 0, as in the authors' program"},
  };
  return flags;
}

const Key& find_key(std::string_view name, const std::string& where) {
  const auto keys = recipe_keys();
  const auto found = std::ranges::find(keys, name, &Key::name);
  if (found == keys.end())
    throw Error(cat(where, ": unknown key \"", name.substr(0, 100), "\"; did you mean \"",
                    nearest_key(name).name, "\"?"));
  return *found;
}

}  // namespace grimace
