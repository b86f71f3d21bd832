// The gradients of attention's operands, packed as they are, from the operands and dy. The weights
// are computed again: w = softmax(scale q k^T), dv = w^T dy, ds = w (dy v^T - rowsum(w dy v^T)),
// dq = scale ds k, dk = scale ds^T q.
#include <cmath>

#include "ir/capped.h"
#include "ir/ops/attention.h"
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

int operands(const Node& n) {
  return n.num_inputs() - 1;
}

std::vector<TensorType> infer(const Node& n) {
  require_attention_operands(n, operands(n));
  const AttentionShape s = attention_shape(n, operands(n));
  const TensorType y{n.in(0).dtype, {s.batch, s.queries, s.dim()}};
  n.require(n.in(operands(n)) == y, "dy must be ", y, "; got ", n.in(operands(n)));
  std::vector<TensorType> result;
  for (int i = 0; i < operands(n); ++i) result.push_back(n.in(i));
  return result;
}

// Five products where the forward has two.
int64_t macs(const Node& n) {
  const AttentionShape s = attention_shape(n, operands(n));
  return capped_product({5, s.batch, s.queries, s.keys, s.dim()});
}

int64_t flops(const Node& n) {
  const AttentionShape s = attention_shape(n, operands(n));
  return capped_sum(capped_product({2, macs(n)}),
                    capped_product({10, s.batch, s.heads, s.queries, s.keys}));
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const double scale = n.real("scale");
  const auto [q, k, v] = attention_heads(b, n, operands(n));
  const Value dy = split_heads(b, b.cast(n.input(operands(n)), q.dtype()), n.integer("heads"));
  const Value w = b.softmax(b.matmul(q, k, false, true) * scale);
  const Value dw = b.matmul(dy, v, false, true);
  const Value ds = b.emit(op_softmax_grad, {w, dw}) * scale;
  const std::array<Value, 3> parts{b.matmul(ds, k), b.matmul(ds, q, true), b.matmul(w, dy, true)};
  std::array<Value, 3> merged;
  for (size_t i = 0; i < 3; ++i) merged[i] = b.cast(merge_heads(b, parts[i]), n.in(0).dtype);
  if (operands(n) == 1) return {b.concat({merged[0], merged[1], merged[2]}, 2)};
  if (operands(n) == 2) return {merged[0], b.concat({merged[1], merged[2]}, 2)};
  return {merged[0], merged[1], merged[2]};
}

// One head of one sample. Pointers as in attention; dq, dk and dv have the strides of q, k and v,
// dk and dv hold zeros.
template <typename T>
struct Head {
  const T *q, *k, *v, *dy;
  T *dq, *dk, *dv;

  void row(const AttentionShape& s, T scale, int64_t i, std::vector<T>& w, std::vector<T>& dw) {
    const int64_t stride[] = {s.parts[0].columns, s.parts[1].columns, s.parts[2].columns};
    const T* query = q + i * stride[0];
    const T* g = dy + i * s.dim();
    T top = -std::numeric_limits<T>::infinity();
    for (int64_t j = 0; j < s.keys; ++j) {
      T dot{0};
      T grad{0};
      for (int64_t c = 0; c < s.width; ++c) {
        dot += query[c] * k[j * stride[1] + c];
        grad += g[c] * v[j * stride[2] + c];
      }
      top = std::max(top, w[static_cast<size_t>(j)] = dot * scale);
      dw[static_cast<size_t>(j)] = grad;
    }
    T sum{0};
    for (T& weight : w) sum += weight = std::exp(weight - top);
    T mean{0};
    for (size_t j = 0; j < w.size(); ++j) mean += (w[j] /= sum) * dw[j];
    for (int64_t c = 0; c < s.width; ++c) dq[i * stride[0] + c] = T{0};
    for (int64_t j = 0; j < s.keys; ++j) {
      const T weight = w[static_cast<size_t>(j)];
      const T ds = weight * (dw[static_cast<size_t>(j)] - mean) * scale;
      for (int64_t c = 0; c < s.width; ++c) {
        dq[i * stride[0] + c] += ds * k[j * stride[1] + c];
        dk[j * stride[1] + c] += ds * query[c];
        dv[j * stride[2] + c] += weight * g[c];
      }
    }
  }
};

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const AttentionShape s = attention_shape(n, operands(n));
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    for (const View& view : out) std::fill(view.as<T>().begin(), view.as<T>().end(), T{0});
    const auto at = [&](const auto& views, size_t which, int64_t sample, int64_t head) {
      const auto& part = s.parts[which];
      const int64_t rows = which == 0 ? s.queries : s.keys;
      return views[static_cast<size_t>(part.input)].template as<T>().data() +
             sample * rows * part.columns + part.column + head * s.width;
    };
    std::vector<T> w(static_cast<size_t>(s.keys));
    std::vector<T> dw(w.size());
    for (int64_t sample = 0; sample < s.batch; ++sample)
      for (int64_t h = 0; h < s.heads; ++h) {
        Head<T> head{at(in, 0, sample, h),
                     at(in, 1, sample, h),
                     at(in, 2, sample, h),
                     in.back().template as<T>().data() + sample * s.queries * s.dim() + h * s.width,
                     at(out, 0, sample, h),
                     at(out, 1, sample, h),
                     at(out, 2, sample, h)};
        for (int64_t i = 0; i < s.queries; ++i)
          head.row(s, static_cast<T>(n.real("scale")), i, w, dw);
      }
  });
}

}  // namespace

constinit const OpDef op_attention_grad{
    .name = "attention_grad",
    .min_inputs = 2,
    .max_inputs = 4,
    .attrs = {{{"heads", AttrKind::integer}, {"scale", AttrKind::real}}},
    .infer = infer,
    .flops = flops,
    .macs = macs,
    .decompose = decompose,
    .reference = reference,
};

}  // namespace grimace
