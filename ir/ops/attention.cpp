// y = softmax(scale q k^T) v for every head, heads side by side in the columns (spec 2.4). Fused:
// q, k and v are read where the projections left them (attention.h), and no attention matrix is a
// value of the graph. Products of 16-bit operands accumulate in f32; y has the operands' type.
#include "ir/ops/attention.h"

#include <cmath>

#include "ir/capped.h"
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  require_attention_operands(n, n.num_inputs());
  const AttentionShape s = attention_shape(n, n.num_inputs());
  return {{n.in(0).dtype, {s.batch, s.queries, s.dim()}}};
}

int64_t macs(const Node& n) {
  const AttentionShape s = attention_shape(n, n.num_inputs());
  return capped_product({2, s.batch, s.queries, s.keys, s.dim()});
}

int64_t flops(const Node& n) {
  const AttentionShape s = attention_shape(n, n.num_inputs());
  return capped_sum(capped_product({2, macs(n)}),
                    capped_product({6, s.batch, s.heads, s.queries, s.keys}));
}

std::vector<Value> grad(Builder& b, const Node& n, std::span<const Value> dy) {
  std::vector<Value> inputs = n.inputs();
  inputs.push_back(dy[0]);
  return b.emit_all(op_attention_grad, inputs,
                    {{"heads", n.integer("heads")}, {"scale", n.real("scale")}});
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const auto [q, k, v] = attention_heads(b, n, n.num_inputs());
  const Value weights = b.softmax(b.matmul(q, k, false, true) * n.real("scale"));
  return {b.cast(merge_heads(b, b.matmul(weights, v)), n.in(0).dtype)};
}

// One head of one sample: pointers to its first columns, and how far apart rows are.
template <typename T>
void attend(const AttentionShape& s, T scale, const T* q, const T* k, const T* v, T* y) {
  std::vector<T> weights(static_cast<size_t>(s.keys));
  for (int64_t i = 0; i < s.queries; ++i) {
    T top = -std::numeric_limits<T>::infinity();
    for (int64_t j = 0; j < s.keys; ++j) {
      T dot{0};
      for (int64_t c = 0; c < s.width; ++c)
        dot += q[i * s.parts[0].columns + c] * k[j * s.parts[1].columns + c];
      top = std::max(top, weights[static_cast<size_t>(j)] = dot * scale);
    }
    T sum{0};
    for (T& weight : weights) sum += weight = std::exp(weight - top);
    for (int64_t c = 0; c < s.width; ++c) {
      T total{0};
      for (int64_t j = 0; j < s.keys; ++j)
        total += weights[static_cast<size_t>(j)] * v[j * s.parts[2].columns + c];
      y[i * s.dim() + c] = s.keys == 0 ? T{0} : total / sum;
    }
  }
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const AttentionShape s = attention_shape(n, n.num_inputs());
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto at = [&](size_t which, int64_t sample, int64_t head) {
      const auto& part = s.parts[which];
      const int64_t rows = which == 0 ? s.queries : s.keys;
      return in[static_cast<size_t>(part.input)].as<T>().data() + sample * rows * part.columns +
             part.column + head * s.width;
    };
    for (int64_t sample = 0; sample < s.batch; ++sample)
      for (int64_t h = 0; h < s.heads; ++h)
        attend<T>(s, static_cast<T>(n.real("scale")), at(0, sample, h), at(1, sample, h),
                  at(2, sample, h),
                  out[0].as<T>().data() + sample * s.queries * s.dim() + h * s.width);
  });
}

}  // namespace

constinit const OpDef op_attention{
    .name = "attention",
    .min_inputs = 1,
    .max_inputs = 3,
    .attrs = {{{"heads", AttrKind::integer}, {"scale", AttrKind::real}}},
    .infer = infer,
    .flops = flops,
    .macs = macs,
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
};

}  // namespace grimace
