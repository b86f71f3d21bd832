// Named guards: the conditions under which the rules of the passes apply.
#pragma once

#include <bit>

#include "ir/op_def.h"

namespace grimace {

// Nothing reads any result of the node.
inline bool unused(const Node& node) {
  for (int i = 0; i < node.num_results(); ++i)
    if (!node.result(i).unused()) return false;
  return true;
}

// Only result 0 of the node is read: its other results may change with it.
inline bool only_first_result_used(const Node& node) {
  for (int i = 1; i < node.num_results(); ++i)
    if (!node.result(i).unused()) return false;
  return true;
}

inline bool same_type(Value a, Value b) {
  return a.type() == b.type();
}

// The node that makes the value, when it is of that op.
inline const Node* made_by(Value v, const OpDef& op) {
  return v.producer() != nullptr && v.producer()->is(op) ? v.producer() : nullptr;
}

// Bit for bit: 0 and -0 are two numbers to a rule that wants to be exact.
inline bool same_number(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}
inline bool is_full(Value v) {
  return made_by(v, op_full) != nullptr;
}
inline bool is_full(Value v, double value) {
  return is_full(v) && same_number(v.producer()->real("value"), value);
}

}  // namespace grimace
