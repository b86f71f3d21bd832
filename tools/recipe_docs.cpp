// docs/flags.md, written from the table of recipe keys.
#include <algorithm>

#include "tools/recipe_keys.h"

namespace grimace {
namespace {

constexpr std::string_view intro = R"(# Settings and flags

Every setting of `grimace pretrain` and `grimace finetune`. Give one in a recipe file (`--config recipe.toml`), by its
flag, or with `--set key=value`; where several name the same key, `--set` wins over a flag and a
flag over the file. The flags of the authors' program are accepted under their own names,
with dashes or underscores. A switch may come bare (`--lg_no_second`) or with `true`, `false`, `1`
or `0`; a list as `2 5 10`, `2,5,10` or `(2,5,10)`. The effective settings are printed back as a
recipe.

`model.name` sets the attention type, width, heads and depth of its configuration; settings that
are given explicitly come after it. Masks and targets are those of the published pre-training whatever
the encoder; VideoMAE's own are `mask.type = "tube"` and `target.frame_diff = false`.

This file is generated from the table in `tools/recipe_keys.cpp`; a test compares the two.
)";

std::string flag_list(const std::vector<Flag>& flags) {
  std::string text;
  for (const Flag& flag : flags) text += (text.empty() ? "`--" : ", `--") + flag.name + "`";
  return text;
}

std::string row(const Key& key) {
  std::vector<Flag> own = key.flags;
  for (Flag& flag : own) std::ranges::replace(flag.name, '_', '-');
  const std::string allowed = key.choices == model_names() ? "see below" : allowed_text(key);
  std::string text = "|";
  for (const auto& cell :
       {"`" + key.name + "`", type_name(key), "`" + value_to_toml(get_value(key, Recipe())) + "`",
        allowed, key.unit, flag_list(own), flag_list(key.authors), key.meaning})
    text += (cell.empty() ? "" : " " + cell) + " |";
  return text + "\n";
}

// What the published fine-tuning sets otherwise than the published pre-training.
std::string classifier_defaults() {
  const std::string name = "mae-dfer-classifier";
  std::string text =
      "\n## Defaults of a classifier\n\n`grimace finetune` trains `" + name +
      "`, or with `--init` a classifier around the encoder found there; "
      "`augment` and `model.classes` play a part for classifiers alone, `mask`, `target` and the "
      "decoder for the others. Where the model is a classifier, these defaults are other ones:\n\n"
      "| Key | Default |\n|---|---|\n";
  for (const Key& key : recipe_keys()) {
    const SettingValue value = get_value(key, recipe_for_model(name));
    if (key.name != "model.name" && value != get_value(key, Recipe()))
      text += "| `" + key.name + "` | `" + value_to_toml(value) + "` |\n";
  }
  return text;
}

}  // namespace

std::string flags_markdown() {
  std::string text(intro), group;
  for (const Key& key : recipe_keys()) {
    const std::string key_group = key.name.substr(0, key.name.find('.'));
    if (key_group != group) {
      group = key_group;
      text += "\n## " + group +
              "\n\n| Key | Type | Default | Allowed | Unit | Flag | Authors' flag | Meaning |\n" +
              "|---|---|---|---|---|---|---|---|\n";
    }
    text += row(key);
  }
  text +=
      "\n## Flags without effect\n\nAccepted, with a warning, because the authors' scripts give "
      "them:\n\n| Authors' flag | Why it changes nothing |\n|---|---|\n";
  for (const IdleFlag& flag : idle_flags())
    text += "| `--" + flag.name + "` | " + flag.why + " |\n";
  text += classifier_defaults();
  text +=
      "\n## Model names\n\n| Name | Encoder | Width | Heads | Blocks | Use "
      "|\n|---|---|---|---|---|---|\n";
  for (const auto& name : model_names()) {
    const Recipe::Model model = recipe_for_model(name).model;
    text += "| `" + name + "` | " + model.attn_type + " | " + std::to_string(model.embed_dim) +
            " | " + std::to_string(model.heads) + " | " + std::to_string(model.encoder_depth) +
            " | " + (is_classifier(name) ? "classifier" : "pre-training") + " |\n";
  }
  return text;
}

}  // namespace grimace
