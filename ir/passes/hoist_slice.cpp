// Where only some rows of a result are read, as of the last decoder block only those of hidden
// cubes, the ops before it compute no others: slice moves up through row-wise ops, sums and the
// queries of attention. Runs on the forward graph after fuse_attention, before autodiff, which then
// needs fewer rows too.
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

// The node whose rows are cut, when nothing else reads it: then no row is computed twice. Null for
// slices of the last axis, which are not rows.
const Node* passable(const Node& slice) {
  if (!slice.is(op_slice) || slice.integer("axis") == slice.out().shape.rank() - 1) return nullptr;
  const Node* f = slice.input(0).producer();
  const bool only_use = f != nullptr && slice.input(0) == f->result() &&
                        slice.input(0).single_use() && only_first_result_used(*f);
  return only_use && slice.out() != slice.in(0) ? f : nullptr;
}

// The rows of x that `slice` wants, along its `axis`: the slice that there is already, if any,
// because two would keep each other from moving up. It is not looked for among very many readers.
Value cut(Builder& b, const Node& slice, Value x, int64_t axis) {
  constexpr size_t kMostReaders = 1000;
  const int64_t begin = slice.integer("begin");
  const int64_t end = slice.integer("end");
  if (x.users().size() > kMostReaders) return b.slice(x, axis, begin, end);
  for (const Node* user : x.users())
    if (user->is(op_slice) && user->integer("axis") == axis && user->integer("begin") == begin &&
        user->integer("end") == end && b.graph().before(*user, slice))
      return user->result();
  return b.slice(x, axis, begin, end);
}
Value cut(Builder& b, const Node& slice, Value x) {
  return cut(b, slice, x, slice.integer("axis"));
}

//   slice(f(x, shared...))  ->  f(slice(x), shared...)
Value hoist_over_row_wise(Builder& b, const Node& slice) {
  const Node* f = passable(slice);
  if (f == nullptr || f->op().row_wise == nullptr || !f->op().row_wise(*f)) return {};
  std::vector<Value> inputs = f->inputs();
  inputs[0] = cut(b, slice, inputs[0]);
  return on_fewer_rows(b, *f, std::move(inputs), slice);
}

//   slice(x + y)  ->  slice(x) + slice(y), operands with equal rows staying whole
Value hoist_over_elementwise(Builder& b, const Node& slice) {
  const Node* f = passable(slice);
  if (f == nullptr || !f->op().elementwise) return {};
  const int rank = f->out().shape.rank();
  const auto axis = static_cast<int>(slice.integer("axis"));
  std::vector<Value> inputs;
  for (const Value& x : f->inputs()) {
    const int own = axis - (rank - x.shape().rank());  // the axis among the operand's
    const bool has_rows = own >= 0 && x.dim(own) == f->out().shape[axis] && x.dim(own) != 1;
    inputs.push_back(has_rows ? cut(b, slice, x, own) : x);
  }
  return on_fewer_rows(b, *f, std::move(inputs), slice);
}

// q and k v of a packed projection as two, the first on fewer rows.
std::vector<Value> split_projection(Builder& b, const Node& slice, const Node& linear) {
  const Value x = linear.input(0);
  const int64_t columns = linear.out().shape[-1];
  b.graph().scope = linear.scope();
  const auto part = [&](Value rows, int64_t begin, int64_t end) {
    return b.linear(rows, b.slice(linear.input(1), 0, begin, end),
                    linear.flag("bias") ? b.slice(linear.input(2), 0, begin, end) : Value{});
  };
  return {part(cut(b, slice, x), 0, columns / 3), part(x, columns / 3, columns)};
}

//   slice(attention(q, ...))  ->  attention(slice(q), ...)
//   slice(attention(linear(x, w)))  ->  attention(linear(slice(x), w_q), linear(x, w_kv))
Value hoist_over_attention(Builder& b, const Node& slice) {
  const Node* attention = passable(slice);
  if (attention == nullptr || !attention->is(op_attention) || slice.integer("axis") != 1) return {};
  std::vector<Value> inputs = attention->inputs();
  if (inputs.size() > 1) {
    inputs[0] = cut(b, slice, inputs[0]);
    return on_fewer_rows(b, *attention, std::move(inputs), slice);
  }
  const Node* linear = made_by(inputs[0], op_linear);
  if (linear == nullptr || !inputs[0].single_use() || linear->text("epilogue") != "none") return {};
  return on_fewer_rows(b, *attention, split_projection(b, slice, *linear), slice);
}

constexpr Rule kRules[] = {hoist_over_row_wise, hoist_over_elementwise, hoist_over_attention};

}  // namespace

int hoist_slice(Graph& graph) {
  return rewrite(graph, kRules);
}

}  // namespace grimace
