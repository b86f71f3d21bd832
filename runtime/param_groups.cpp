// The name rules of the published program, exceptions included.
#include "runtime/param_groups.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "ir/error.h"

namespace grimace {
namespace {

// Whole names: pre-training calls its region tokens "encoder.lg_region_tokens", so they are decayed
// there and not in fine-tuning, as in the published runs.
constexpr std::array<std::string_view, 4> kPretrainSkips{"pos_embed", "cls_token", "mask_token",
                                                         "lg_region_tokens"};
constexpr std::array<std::string_view, 4> kFinetuneSkips{"pos_embed", "cls_token", "part_tokens",
                                                         "lg_region_tokens"};

bool decays(std::string_view name, const Shape& shape, GroupMode mode) {
  const auto& skips = mode == GroupMode::pretrain ? kPretrainSkips : kFinetuneSkips;
  return shape.rank() > 1 && !name.ends_with(".bias") &&
         std::find(skips.begin(), skips.end(), name) == skips.end();
}

int64_t layer_of(std::string_view name, int64_t depth) {
  constexpr std::string_view kBlocks = "blocks.";
  if (name == "cls_token" || name == "mask_token" || name == "pos_embed" ||
      name.starts_with("patch_embed"))
    return 0;
  if (!name.starts_with(kBlocks)) return depth + 1;
  int64_t block = -1;
  const auto [end, code] =
      std::from_chars(name.data() + kBlocks.size(), name.data() + name.size(), block);
  check(code == std::errc() && block >= 0 && block < depth, "parameter ", name,
        ": layer decay knows the blocks 0 to ", depth - 1);
  return block + 1;
}

}  // namespace

ParamGroup param_group(std::string_view name, const Shape& shape, const ParamGroupRules& rules) {
  ParamGroup group;
  if (decays(name, shape, rules.mode)) group.weight_decay = rules.weight_decay;
  if (rules.mode == GroupMode::finetune && rules.layer_decay < 1.0) {
    group.layer = layer_of(name, rules.depth);
    group.lr_scale =
        std::pow(rules.layer_decay, static_cast<double>(rules.depth + 1 - group.layer));
  }
  return group;
}

}  // namespace grimace
