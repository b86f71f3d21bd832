// The optimizer's state in a published checkpoint: entries by number, which count through the
// parameter groups (spec 10.1), against ours by the parameter's name.
#pragma once

#include "runtime/pth_content.h"

namespace grimace {

// Renames "optimizer.state.<number>.<kind>" to "optimizer.<kind>.<param>" (runtime/checkpoint.h)
// where the parameter groups are of a published kind (or one group of all) and every number stands
// for a parameter of the same shape; leaves all names as they are otherwise. Returns whether it
// renamed.
bool name_moments(PthContent& content);

}  // namespace grimace
