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
  if (name[0] == '0' && end != name.data() + 1) return std::nullopt;  // "03" is another key than 3
  state.kind = name.substr(static_cast<size_t>(end - name.data()) + 1);
  return state;
}

using Params = std::vector<const PthTensor*>;

// Encoder blocks, for layer decay.
int64_t depth_of(std::span<const NamedShape> params) {
  int depth = 0;
  for (const NamedShape& param : params) {
    int block = -1;
    if (param.name.starts_with("blocks."))
      std::from_chars(param.name.data() + 7, param.name.data() + param.name.size(), block);
    depth = std::clamp(block + 1, depth, 1000);
  }
  return depth;
}

// The parameters in the optimizer's order. Empty unless there are `groups` groups.
Params optimizer_order(const Params& params, size_t groups) {
  if (groups == 1) return params;
  std::vector<NamedShape> shapes;
  for (const PthTensor* param : params) shapes.push_back({param->name, param->type.shape});
  // Any decay makes the same groups.
  const auto found = optimizer_groups(shapes, 0.05, groups > 2 ? 0.75 : 1.0);
  Params ordered;
  if (found.size() != groups) return ordered;
  for (const OptimizerGroup& group : found)
    for (const size_t param : group.params) ordered.push_back(params[param]);
  return ordered;
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

std::vector<OptimizerGroup> optimizer_groups(std::span<const NamedShape> params,
                                             double weight_decay, double layer_decay) {
  const bool pretrain = std::ranges::any_of(
      params, [](const NamedShape& param) { return param.name.starts_with("encoder."); });
  const ParamGroupRules rules{.mode = pretrain ? GroupMode::pretrain : GroupMode::finetune,
                              .weight_decay = weight_decay,
                              .layer_decay = layer_decay,
                              .depth = depth_of(params)};
  std::vector<OptimizerGroup> groups;
  for (size_t i = 0; i < params.size(); ++i) {
    const ParamGroup group = param_group(params[i].name, params[i].shape, rules);
    auto found = std::ranges::find(groups, group, &OptimizerGroup::group);
    if (found == groups.end()) found = groups.insert(groups.end(), {group, {}});
    found->params.push_back(i);
  }
  return groups;
}

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
  if (std::ranges::any_of(content.tensors, [](const auto& t) { return t.name == "state.step"; }))
    std::erase_if(content.tensors,
                  [](const auto& t) { return t.name.starts_with("optimizer.step."); });
  return true;
}

}  // namespace grimace
