#include "ir/op_def.h"

#include "ir/capped.h"
#include "ir/nearest.h"

namespace grimace {
namespace {

constexpr const OpDef* kOps[] = {
#define OP(name) &op_##name,
#include "ir/ops/op_list.inc"
#undef OP
};

}  // namespace

std::span<const OpDef* const> all_ops() {
  return kOps;
}

const OpDef& known_op(std::string_view name, std::string_view place) {
  for (const OpDef* op : kOps)
    if (op->name == name) return *op;
  std::vector<std::string_view> known;
  for (const OpDef* op : kOps) known.push_back(op->name);
  throw Error(cat(place, "unknown op ", quoted(name), did_you_mean(name, known)));
}

bool is_view(const Node& node) {
  return node.op().aliasing == Aliasing::reshape;
}

Value root_of(Value value) {
  while (value.producer() != nullptr && is_view(*value.producer()))
    value = value.producer()->input(0);
  return value;
}

int64_t flops_of(const Node& node) {
  return node.op().flops != nullptr ? node.op().flops(node) : 0;
}

int64_t macs_of(const Node& node) {
  return node.op().macs != nullptr ? node.op().macs(node) : 0;
}

int64_t bytes_of(const Node& node) {
  if (node.op().bytes != nullptr) return node.op().bytes(node);
  int64_t total = 0;
  for (const Value& input : node.inputs()) total = capped_sum(total, input.type().bytes());
  for (int i = 0; i < node.num_results(); ++i) total = capped_sum(total, node.out(i).bytes());
  return total;
}

}  // namespace grimace
