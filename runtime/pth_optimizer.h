// The optimizer's state as PyTorch keeps it: entries by number, which count through the parameter
// groups (spec 10.1), against ours by the parameter's name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/param_groups.h"
#include "runtime/pth_content.h"

namespace grimace {

// What the entry param_groups says beside the groups: the scheduled rate at its peak, and so on.
struct PthOptimizer {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.05;
  double layer_decay = 1.0;  // of a classifier
};

struct NamedShape {
  std::string_view name;
  Shape shape;
};
struct OptimizerGroup {
  ParamGroup group;
  std::vector<size_t> params;  // positions in the model
};
// The published groups of these parameters (runtime/param_groups.h), in order of first appearance.
std::vector<OptimizerGroup> optimizer_groups(std::span<const NamedShape> params,
                                             double weight_decay, double layer_decay);

// Renames "optimizer.state.<number>.<kind>" to "optimizer.<kind>.<param>" (runtime/checkpoint.h)
// where the parameter groups are of a published kind (or one group of all) and every number stands
// for a parameter of the same shape; leaves all names as they are otherwise. Returns whether it
// renamed. Steps of single parameters go where the file counts them for all ("state.step").
bool name_moments(PthContent& content);

}  // namespace grimace
