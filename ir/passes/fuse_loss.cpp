// The loss of a reconstruction is computed where its target is: from pixels to loss and gradient in
// one pass over the hidden cubes. Runs before autodiff, to which the gradient is then known.
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

//   mean_squared_error(pred, reconstruction_target(video, index))
//     ->  reconstruction_loss(pred, video, index)
Value fuse_reconstruction_loss(Builder& b, const Node& loss) {
  if (!loss.is(op_mean_squared_error)) return {};
  const Node* target = made_by(loss.input(1), op_reconstruction_target);
  if (target == nullptr || !target->result().single_use()) return {};
  std::vector<Value> inputs = target->inputs();
  inputs.insert(inputs.begin(), loss.input(0));
  return b.emit_all(op_reconstruction_loss, std::move(inputs), target->named_attrs())[1];
}

constexpr Rule kRules[] = {fuse_reconstruction_loss};

}  // namespace

int fuse_loss(Graph& graph) {
  return rewrite(graph, kRules);
}

}  // namespace grimace
