// Algebraic identities: one form for each thing, fewer nodes, less moving of memory. Every rule
// keeps every bit of the result (so x + 0 stays for floats: it makes 0 of -0), but for the NaN
// payload and for matmul, whose products a kernel may sum in another order after a transpose goes.
#include <algorithm>

#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

// ---- Arithmetic ---------------------------------------------------------------------------

//   a + x  ->  x + a, for a commutative op and a literal a
Value literal_second(Builder& b, const Node& n) {
  const bool swap =
      n.op().commutative && n.num_inputs() == 2 && is_full(n.input(0)) && !is_full(n.input(1));
  return swap ? b.emit(n.op(), {n.input(1), n.input(0)}) : Value{};
}

//   x * 1, x / 1, x - 0, x + -0  ->  x;  for integers x + 0 too
Value drop_neutral(Builder&, const Node& n) {
  if (n.num_inputs() != 2 || n.out() != n.in(0)) return {};
  const Value a = n.input(1);
  const bool neutral = ((n.is(op_mul) || n.is(op_div)) && is_full(a, 1.0)) ||
                       (n.is(op_sub) && is_full(a, 0.0)) ||
                       (n.is(op_add) && is_full(a, is_float(a.dtype()) ? -0.0 : 0.0));
  return neutral ? n.input(0) : Value{};
}

//   neg(neg(x))  ->  x
Value drop_double_neg(Builder&, const Node& n) {
  const Node* inner = n.is(op_neg) ? made_by(n.input(0), op_neg) : nullptr;
  return inner != nullptr ? inner->input(0) : Value{};
}

bool holds_every_value_of(DType from, DType via) {
  switch (from) {
    case DType::boolean:
      return true;
    case DType::u8:
      return via != DType::boolean;  // 8 bits fit the significand of every float
    case DType::i32:
      return via == DType::i64 || via == DType::f64;
    case DType::bf16:
    case DType::f16:
      return via == DType::f32 || via == DType::f64;
    case DType::f32:
      return via == DType::f64;
    default:
      return false;
  }
}

//   cast(cast(x) to a wider type)  ->  cast(x)
Value merge_casts(Builder& b, const Node& n) {
  const Node* inner = n.is(op_cast) ? made_by(n.input(0), op_cast) : nullptr;
  const bool exact = inner != nullptr && holds_every_value_of(inner->in(0).dtype, n.in(0).dtype);
  return exact ? b.cast(inner->input(0), n.out().dtype) : Value{};
}

// ---- Moves --------------------------------------------------------------------------------

//   reshape, broadcast, slice, pad or cast of x to its own type; concat of x alone  ->  x
Value drop_move(Builder&, const Node& n) {
  const bool by_type =
      n.is(op_reshape) || n.is(op_broadcast) || n.is(op_slice) || n.is(op_pad) || n.is(op_cast);
  const bool nothing = (by_type && n.out() == n.in(0)) || (n.is(op_concat) && n.num_inputs() == 1);
  return nothing ? n.input(0) : Value{};
}

//   reshape(reshape(x))  ->  reshape(x);  broadcast(broadcast(x))  ->  broadcast(x)
Value merge_shapes(Builder& b, const Node& n) {
  if (!n.is(op_reshape) && !n.is(op_broadcast)) return {};
  const Node* inner = made_by(n.input(0), n.op());
  return inner != nullptr
             ? b.emit(n.op(), {inner->input(0)}, {{"shape", n.out().shape.to_vector()}})
             : Value{};
}

//   transpose that leaves the axes longer than 1 in order  ->  reshape
Value transpose_to_reshape(Builder& b, const Node& n) {
  if (!n.is(op_transpose)) return {};
  std::vector<int64_t> order = n.integers("permutation");
  std::erase_if(order, [&](int64_t axis) { return n.in(0).shape[static_cast<int>(axis)] == 1; });
  if (!std::is_sorted(order.begin(), order.end())) return {};
  return b.reshape(n.input(0), n.out().shape.to_vector());
}

//   transpose(transpose(x))  ->  transpose(x)
Value merge_transposes(Builder& b, const Node& n) {
  const Node* inner = n.is(op_transpose) ? made_by(n.input(0), op_transpose) : nullptr;
  if (inner == nullptr) return {};
  std::vector<int64_t> order = n.integers("permutation");
  for (int64_t& axis : order) axis = inner->integers("permutation")[static_cast<size_t>(axis)];
  return b.transpose(inner->input(0), std::move(order));
}

//   matmul(transpose(x) of the last two axes, y)  ->  matmul{transpose_a}(x, y);  y likewise.
// Where other axes move too, the transpose keeps them, and now copies whole rows.
Value absorb_transpose(Builder& b, const Node& n) {
  if (!n.is(op_matmul)) return {};
  std::array<Value, 2> operands{n.input(0), n.input(1)};
  std::array<bool, 2> flags{n.flag("transpose_a"), n.flag("transpose_b")};
  for (size_t i = 0; i < 2; ++i) {
    const Node* transpose = made_by(operands[i], op_transpose);
    if (transpose == nullptr) continue;
    std::vector<int64_t> order = transpose->integers("permutation");
    const size_t last = order.size() - 1;
    if (order[last - 1] != static_cast<int64_t>(last)) continue;
    std::swap(order[last - 1], order[last]);
    const bool vanishes = std::is_sorted(order.begin(), order.end());
    if (!vanishes && !operands[i].single_use()) continue;
    operands[i] = vanishes ? transpose->input(0) : b.transpose(transpose->input(0), order);
    flags[i] = !flags[i];
    return b.matmul(operands[0], operands[1], flags[0], flags[1]);
  }
  return {};
}

// ---- Parts --------------------------------------------------------------------------------

// The op's node behind a slice or pad, along the same axis; null when there is none.
const Node* along_same_axis(const Node& n, const OpDef& op) {
  const Node* inner = made_by(n.input(0), op);
  return inner != nullptr && inner->integer("axis") == n.integer("axis") ? inner : nullptr;
}

//   slice(slice(x))  ->  slice(x)
Value merge_slices(Builder& b, const Node& n) {
  const Node* inner = n.is(op_slice) ? along_same_axis(n, op_slice) : nullptr;
  if (inner == nullptr) return {};
  const int64_t first = inner->integer("begin");
  return b.slice(inner->input(0), n.integer("axis"), first + n.integer("begin"),
                 first + n.integer("end"));
}

//   pad(pad(x))  ->  pad(x)
Value merge_pads(Builder& b, const Node& n) {
  const Node* inner = n.is(op_pad) ? along_same_axis(n, op_pad) : nullptr;
  if (inner == nullptr) return {};
  return b.pad(inner->input(0), n.integer("axis"), inner->integer("before") + n.integer("before"),
               inner->integer("after") + n.integer("after"));
}

//   pad(0)  ->  0
Value pad_of_zeros(Builder& b, const Node& n) {
  return n.is(op_pad) && is_full(n.input(0), 0.0) ? b.full(0.0, n.out().shape, n.out().dtype)
                                                  : Value{};
}

//   slice(concat(..., x, ...)) that lies in x  ->  slice(x)
// Where every part of very many is cut out again, each would be looked for among all.
Value slice_of_concat(Builder& b, const Node& n) {
  constexpr int kMostParts = 1000;
  const Node* concat = n.is(op_slice) ? along_same_axis(n, op_concat) : nullptr;
  if (concat == nullptr || concat->num_inputs() > kMostParts) return {};
  const int64_t axis = n.integer("axis");
  int64_t first = 0;
  for (const Value& part : concat->inputs()) {
    const int64_t last = first + part.dim(static_cast<int>(axis));
    if (n.integer("begin") >= first && n.integer("end") <= last)
      return b.slice(part, axis, n.integer("begin") - first, n.integer("end") - first);
    first = last;
  }
  return {};
}

//   slice(pad(x)) that lies in x  ->  slice(x);  that lies in the padding  ->  0
Value slice_of_pad(Builder& b, const Node& n) {
  const Node* pad = n.is(op_slice) ? along_same_axis(n, op_pad) : nullptr;
  if (pad == nullptr) return {};
  const int64_t axis = n.integer("axis");
  const int64_t first = pad->integer("before");
  const int64_t last = first + pad->in(0).shape[static_cast<int>(axis)];
  const int64_t begin = n.integer("begin");
  const int64_t end = n.integer("end");
  if (begin >= first && end <= last)
    return b.slice(pad->input(0), axis, begin - first, end - first);
  if (end <= first || begin >= last) return b.full(0.0, n.out().shape, n.out().dtype);
  return {};
}

constexpr Rule kRules[] = {literal_second,   drop_neutral, drop_double_neg,  merge_casts,
                           drop_move,        merge_shapes, merge_transposes, transpose_to_reshape,
                           absorb_transpose, merge_slices, merge_pads,       pad_of_zeros,
                           slice_of_concat,  slice_of_pad};

}  // namespace

int canonicalise(Graph& graph) {
  return rewrite(graph, kRules);
}

}  // namespace grimace
