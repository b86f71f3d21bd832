#include "ir/op_def.h"

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

const OpDef* find_op(std::string_view name) {
  for (const OpDef* op : kOps)
    if (op->name == name) return op;
  return nullptr;
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
  for (const Value& input : node.inputs()) total += input.type().bytes();
  for (int i = 0; i < node.num_results(); ++i) total += node.out(i).bytes();
  return total;
}

}  // namespace grimace
