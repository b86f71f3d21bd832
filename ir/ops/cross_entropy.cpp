// loss[b] = -sum_c target[b,c] log softmax(logits[b])_c, the soft-target cross-entropy of spec 7.5.
// No gradient flows to the target.
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  n.require(is_float(n.in(0).dtype) && n.in(0).shape.rank() == 2 && n.in(0) == n.in(1),
            "logits and target must be float tensors [B,C] of one type; got ", n.in(0), " and ",
            n.in(1));
  n.require(n.in(0).shape[1] >= 1, "needs at least one class; got ", n.in(0));
  return {{n.in(0).dtype, {n.in(0).shape[0]}}};
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  const Value target = n.input(1);
  const Value p = b.softmax(n.input(0));
  const Value dlogits = p * b.reduce_sum(target, {-1}, true) - target;
  return {dlogits * b.reshape(dy[0], {n.in(0).shape[0], 1})};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto cols = static_cast<size_t>(n.in(0).shape[1]);
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto target = in[1].as<T>();
    const auto loss = out[0].as<T>();
    for (size_t b = 0; b < loss.size(); ++b) {
      const T* z = in[0].as<T>().data() + b * cols;
      T top = z[0];
      for (size_t c = 0; c < cols; ++c) top = std::max(top, z[c]);
      T sum{0};
      for (size_t c = 0; c < cols; ++c) sum += std::exp(z[c] - top);
      loss[b] = T{0};
      for (size_t c = 0; c < cols; ++c)
        loss[b] -= target[b * cols + c] * (z[c] - top - std::log(sum));
    }
  });
}

}  // namespace

constinit const OpDef op_cross_entropy{
    .name = "cross_entropy",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .flops = [](const Node& n) { return 6 * n.in(0).numel(); },
    .grad = grad,
    .reference = reference,
};

}  // namespace grimace
