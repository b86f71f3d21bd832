// Settings to recipe: named model configurations (spec section 1.1) and the order of precedence.
#include "tools/recipe.h"

#include <algorithm>

#include "ir/error.h"
#include "tools/recipe_keys.h"

namespace grimace {
namespace {

// What differs between the configurations; the rest is the same in all.
struct Preset {
  std::string name = {};
  std::string attn_type = {};
  int64_t embed_dim = 0, heads = 0, encoder_depth = 0;
  bool classifier = false;
  bool depth_is_fixed = false;
};

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = [] {
    const Preset lgi{
        .attn_type = "local_global", .embed_dim = 512, .heads = 8, .encoder_depth = 16};
    const Preset vit{.attn_type = "joint", .embed_dim = 768, .heads = 12, .encoder_depth = 12};
    const auto named = [](Preset base, std::string name, bool classifier, bool depth_is_fixed) {
      base.name = std::move(name);
      base.classifier = classifier;
      base.depth_is_fixed = depth_is_fixed;
      return base;
    };
    return std::vector<Preset>{
        named(lgi, "mae-dfer-pretrain", false, false),
        named(vit, "videomae-pretrain", false, false),
        named(lgi, "mae-dfer-classifier", true, false),
        named(vit, "videomae-classifier", true, false),
        named(lgi, "pretrain_videomae_base_dim512_no_depth_patch16_160", false, false),
        named(vit, "pretrain_videomae_base_patch16_160", false, true),
        named(lgi, "vit_base_dim512_no_depth_patch16_160", true, false),
        named(vit, "vit_base_patch16_160", true, true),
    };
  }();
  return all;
}

const Preset& find_preset(std::string_view name) {
  const auto found = std::ranges::find(presets(), name, &Preset::name);
  if (found == presets().end()) {
    std::string names;
    for (const auto& known : model_names()) names += (names.empty() ? "" : ", ") + known;
    throw Error(cat("unknown model \"", name.substr(0, 100), "\"; known: ", names));
  }
  return *found;
}

void apply(const Preset& preset, Recipe& recipe) {
  Recipe::Model& model = recipe.model;
  model.name = preset.name;
  model.attn_type = preset.attn_type;
  model.embed_dim = preset.embed_dim;
  model.heads = preset.heads;
  model.encoder_depth = preset.encoder_depth;
  if (!preset.classifier) return;
  // The published fine-tuning, spec 7.3.
  model.drop_path = 0.1;
  recipe.optim.lr = 1e-3;
  recipe.optim.min_lr = 1e-6;
  recipe.optim.betas = {0.9, 0.999};
  recipe.optim.layer_decay = 0.75;
}

// The published proportion, 5 of 100 epochs, for a run of any length.
void scale_warmup(Recipe::Optim& optim) {
  optim.warmup_epochs = optim.steps > 0 ? 0 : static_cast<double>(optim.epochs) / 20;
  optim.warmup_steps = optim.steps / 20;
}

}  // namespace

void Settings::set(std::string_view key, std::string_view text, const std::string& where) {
  const Key& found = find_key(key, where);
  values_[&found] = value_from_text(found, text, where);
}

void Settings::set_pair(std::string_view pair) {
  const auto equals = pair.find('=');
  check(equals != std::string_view::npos, "--set: expected key=value, got \"", pair.substr(0, 100),
        "\"");
  set(pair.substr(0, equals), pair.substr(equals + 1), "--set");
}

ResolvedRecipe Settings::resolve() const {
  ResolvedRecipe resolved;
  Recipe& recipe = resolved.recipe;
  const auto has = [&](const char* key) { return values_.contains(&find_key(key, "recipe")); };
  for (const auto& [key, value] : values_) set_value(*key, recipe, value);
  const Preset& preset = find_preset(recipe.model.name);
  apply(preset, recipe);
  for (const auto& [key, value] : values_) set_value(*key, recipe, value);
  if (!has("optim.warmup_epochs") && !has("optim.warmup_steps")) scale_warmup(recipe.optim);
  if (preset.depth_is_fixed && recipe.model.encoder_depth != preset.encoder_depth) {
    resolved.warnings.push_back(cat("model.encoder_depth = ", recipe.model.encoder_depth,
                                    " is ignored: ", preset.name, " always has ",
                                    preset.encoder_depth, " blocks"));
    recipe.model.encoder_depth = preset.encoder_depth;
  }
  return resolved;
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  return names;
}

bool is_classifier(std::string_view model_name) {
  return find_preset(model_name).classifier;
}

Recipe recipe_for_model(const std::string& model_name) {
  Recipe recipe;
  apply(find_preset(model_name), recipe);
  return recipe;
}

}  // namespace grimace
