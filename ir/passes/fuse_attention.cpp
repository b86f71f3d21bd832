// softmax(q k^T) v becomes one op that reads q, k and v where the projections left them: no head is
// copied, no attention matrix is a value. Runs on the forward graph, so that the gradient is
// attention_grad; canonicalise then removes what split and merged the heads.
#include <array>
#include <optional>

#include "ir/ops/attention.h"
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"
#include "ir/passes/strided.h"

namespace grimace {
namespace {

// Heads [B,H,T,d] found as columns [column, column + H*d) of `base`, read as [B,T,columns].
struct Heads {
  Value base;
  int64_t batch = 0, tokens = 0, columns = 0, column = 0;

  Value rows(Builder& b) const { return b.reshape(base, {batch, tokens, columns}); }
};

bool fits(int64_t dim, int64_t stride, int64_t wanted) {
  return dim == 1 || stride == wanted;
}

// `view` as heads; none where they lie otherwise.
std::optional<Heads> find_heads(const StridedView& view) {
  const int64_t batch = view.dims[0];
  const int64_t heads = view.dims[1];
  const int64_t tokens = view.dims[2];
  const int64_t width = view.dims[3];
  const int64_t size = view.base.type().numel();
  const int64_t columns = tokens > 1 ? view.strides[2] : batch > 1 ? view.strides[0] : size;
  const bool lies = fits(width, view.strides[3], 1) && fits(heads, view.strides[1], width) &&
                    fits(batch, view.strides[0], tokens * columns) &&
                    batch * tokens * columns == size && view.offset + heads * width <= columns;
  if (!lies) return {};
  return Heads{view.base, batch, tokens, columns, view.offset};
}

// An operand of a batched product over [B,H], with its last two axes in the order [tokens, width].
StridedView operand(const Node& matmul, int side, bool swap, bool through_scale) {
  StridedView view = strided_view(matmul.input(side), through_scale);
  if (swap) {
    std::swap(view.dims[2], view.dims[3]);
    std::swap(view.strides[2], view.strides[3]);
  }
  return view;
}

//   matmul(softmax(s), v)  ->  the product inside s, behind any literal factor; null otherwise.
const Node* scores_of(const Node& product, double& scale) {
  if (!product.is(op_matmul) || product.flag("transpose_a") || product.out().shape.rank() != 4 ||
      product.in(1).shape.rank() != 4)
    return nullptr;
  const Node* softmax = made_by(product.input(0), op_softmax);
  if (softmax == nullptr || !softmax->result().single_use()) return nullptr;
  Value scores = softmax->input(0);
  while (const Node* mul = made_by(scores, op_mul)) {
    if (!is_full(mul->input(1)) || !scores.single_use()) return nullptr;
    scale *= mul->input(1).producer()->real("value");
    scores = mul->input(0);
  }
  const Node* matmul = made_by(scores, op_matmul);
  const bool batched = matmul != nullptr && scores.single_use() && matmul->in(1).shape.rank() == 4;
  return batched ? matmul : nullptr;
}

// The operands in the fewest tensors that hold them as attention wants them packed.
std::vector<Value> packed(Builder& b, const std::array<Heads, 3>& parts, int64_t dim) {
  // Whether parts `first` to 2 fill their common base.
  const auto fill = [&](size_t first) {
    bool all = parts[first].columns == static_cast<int64_t>(3 - first) * dim;
    for (size_t i = first; i < 3; ++i)
      all = all && parts[i].base == parts[first].base && parts[i].tokens == parts[first].tokens &&
            parts[i].column == static_cast<int64_t>(i - first) * dim;
    return all;
  };
  const auto alone = [&](const Heads& part) {
    return b.slice(part.rows(b), 2, part.column, part.column + dim);
  };
  if (fill(0)) return {parts[0].rows(b)};
  if (fill(1)) return {alone(parts[0]), parts[1].rows(b)};
  return {alone(parts[0]), alone(parts[1]), alone(parts[2])};
}

//   matmul(softmax(matmul(q, k^T) scale), v)  ->  attention(q, k, v), as heads
Value fuse(Builder& b, const Node& product) {
  double scale = 1.0;
  const Node* scores = scores_of(product, scale);
  if (scores == nullptr) return {};
  const std::array<StridedView, 3> views{operand(*scores, 0, scores->flag("transpose_a"), true),
                                         operand(*scores, 1, !scores->flag("transpose_b"), true),
                                         operand(product, 1, product.flag("transpose_b"), false)};
  if (views[2].dims[3] != views[0].dims[3]) return {};  // values of another width than keys
  std::array<Heads, 3> parts;
  for (size_t i = 0; i < 3; ++i) {
    const auto heads = find_heads(views[i]);
    if (!heads) return {};
    parts[i] = *heads;
    scale *= views[i].scale;
  }
  const int64_t heads = views[0].dims[1];
  const std::vector<Value> operands = packed(b, parts, heads * views[0].dims[3]);
  return ops::split_heads(b, b.emit(op_attention, operands, {{"heads", heads}, {"scale", scale}}),
                          heads);
}

constexpr Rule kRules[] = {fuse};

}  // namespace

int fuse_attention(Graph& graph) {
  return rewrite(graph, kRules);
}

}  // namespace grimace
