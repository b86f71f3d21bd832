// The groups follow from the names of the parameters; how many there are, from the file.
#include "runtime/pth_optimizer.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "ir/error.h"
#include "runtime/checkpoint.h"
#include "runtime/param_groups.h"

namespace grimace {
namespace {

constexpr std::string_view kStates = "optimizer.state.";

struct State {
  size_t number = 0;
  std::string_view kind;  // "exp_avg"
};

std::optional<State> state_of(std::string_view name) {
  if (!name.starts_with(kStates)) return std::nullopt;
  name.remove_prefix(kStates.size());
  State state;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), state.number);
  if (code != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  state.kind = name.substr(static_cast<size_t>(end - name.data()) + 1);
  return state;
}

using Params = std::vector<const PthTensor*>;

// Encoder blocks, for layer decay.
int64_t depth_of(const Params& params) {
  int depth = 0;
  for (const PthTensor* param : params) {
    const std::string_view name = param->name;
    int block = -1;
    if (name.starts_with("blocks."))
      std::from_chars(name.data() + 7, name.data() + name.size(), block);
    depth = std::clamp(block + 1, depth, 1000);
  }
  return depth;
}

// The parameters in the optimizer's order: group by group in order of first appearance. Empty
// unless there are `count` groups.
Params in_groups(const Params& params, size_t count, const ParamGroupRules& rules) {
  std::vector<std::pair<ParamGroup, Params>> groups;
  for (const PthTensor* param : params) {
    const ParamGroup group = param_group(param->name, param->type.shape, rules);
    auto found = std::ranges::find(groups, group, [](const auto& g) { return g.first; });
    if (found == groups.end()) found = groups.insert(groups.end(), {group, {}});
    found->second.push_back(param);
  }
  Params ordered;
  if (groups.size() != count) return ordered;
  for (const auto& [group, members] : groups)
    ordered.insert(ordered.end(), members.begin(), members.end());
  return ordered;
}

Params optimizer_order(const Params& params, size_t groups) {
  if (groups == 1) return params;
  const bool pretrain = std::ranges::any_of(
      params, [](const PthTensor* param) { return param->name.starts_with("encoder."); });
  return in_groups(params, groups,
                   {.mode = pretrain ? GroupMode::pretrain : GroupMode::finetune,
                    .layer_decay = groups > 2 ? 0.75 : 1.0,  // any decay makes the same groups
                    .depth = depth_of(params)});
}

size_t group_count(const Metadata& values) {
  constexpr std::string_view kGroups = "optimizer.param_groups.";
  std::set<std::string_view> numbers;
  for (auto it = values.lower_bound(kGroups); it != values.end(); ++it) {
    const std::string_view path = it->first;
    if (!path.starts_with(kGroups)) break;
    numbers.insert(path.substr(kGroups.size(), path.find('.', kGroups.size()) - kGroups.size()));
  }
  return numbers.size();
}

// Whether every state has the shape of the parameter its number stands for (or is a single step).
bool fits(const Params& order, const std::vector<PthTensor>& tensors) {
  bool any = false;
  for (const PthTensor& tensor : tensors) {
    const auto state = state_of(tensor.name);
    if (!state) continue;
    any = true;
    if (state->number >= order.size()) return false;
    if (state->kind != "step" && tensor.type.shape != order[state->number]->type.shape)
      return false;
  }
  return any;
}

}  // namespace

bool name_moments(PthContent& content) {
  Params params;
  std::set<std::pair<std::string_view, int64_t>> seen;  // a shared tensor is optimised once
  for (const PthTensor& tensor : content.tensors)
    if (tensor.in_model && seen.emplace(tensor.storage, tensor.offset).second)
      params.push_back(&tensor);
  Params order;
  try {
    order = optimizer_order(params, group_count(content.values));
  } catch (const Error&) {  // names of another kind of model
    return false;
  }
  if (!fits(order, content.tensors)) return false;
  std::vector<std::string> names;
  for (const PthTensor* param : order) names.push_back(param->name);
  for (PthTensor& tensor : content.tensors)
    if (const auto state = state_of(tensor.name); state)
      tensor.name = optimizer_tensor(state->kind, names[state->number]);
  return true;
}

}  // namespace grimace
