// The published parameter groups: which parameters are decayed, and with layer decay, how fast each
// layer learns (spec sections 6 and 7.4).
#pragma once

#include <cstdint>
#include <string_view>

#include "ir/types.h"

namespace grimace {

enum class GroupMode { pretrain, finetune };

struct ParamGroupRules {
  GroupMode mode = GroupMode::pretrain;
  double weight_decay = 0.05;
  double layer_decay = 1.0;  // fine-tuning only; at 1 and above all layers learn alike
  int64_t depth = 0;         // encoder blocks; used with layer decay only
};

struct ParamGroup {
  double weight_decay = 0.0;  // 0, or the rules' value at the start of its schedule
  double lr_scale = 1.0;      // factor on the scheduled learning rate
  int64_t layer = 0;          // 0 (embedding) .. depth + 1 (head); 0 without layer decay

  bool operator==(const ParamGroup&) const = default;
};

// `name` is the published one. Error when layer decay meets a block beyond `depth`.
ParamGroup param_group(std::string_view name, const Shape& shape, const ParamGroupRules& rules);

}  // namespace grimace
