#include <algorithm>

#include "ir/builder.h"
#include "ir/ops/attention.h"
#include "ir/ops/elementwise.h"

namespace grimace::ops {

AttentionShape attention_shape(const Node& n, int operands) {
  const int64_t dim = n.in(0).shape[2] / (operands == 1 ? 3 : 1);
  AttentionShape s;
  s.batch = n.in(0).shape[0];
  s.queries = n.in(0).shape[1];
  s.keys = n.in(operands - 1).shape[1];
  s.heads = n.integer("heads");
  s.width = s.heads == 0 ? 0 : dim / s.heads;
  for (int part = 0; part < 3; ++part) {
    const int input = std::min(part, operands - 1);
    s.parts[static_cast<size_t>(part)] = {input, (part - input) * dim, n.in(input).shape[2]};
  }
  return s;
}

void require_attention_operands(const Node& n, int operands) {
  const TensorType& q = n.in(0);
  n.require(is_float(q.dtype), "operands must be float tensors; got ", q);
  for (int i = 0; i < operands; ++i) {
    const TensorType& x = n.in(i);
    n.require(x.shape.rank() == 3 && x.dtype == q.dtype,
              "operands must be [batch, tokens, columns] of one element type; operand ", i, " is ",
              x, ", operand 0 ", q);
    n.require(x.shape[0] == q.shape[0], "batches differ: operand ", i, " is ", x, ", operand 0 ",
              q);
  }
  const int64_t parts = operands == 1 ? 3 : 1;
  n.require(q.shape[2] % parts == 0,
            "one operand packs q, k and v: its columns must be a multiple of 3; got ", q);
  const int64_t dim = q.shape[2] / parts;
  const int64_t heads = n.integer("heads");
  n.require(heads > 0 && dim % heads == 0, "width ", dim, " must be a multiple of heads ", heads);
  for (int i = 1; i < operands; ++i) {
    const int64_t wanted = operands == 2 ? 2 * dim : dim;
    n.require(n.in(i).shape[2] == wanted, "operand ", i, " must have ", wanted, " columns for ", q,
              "; got ", n.in(i));
  }
  n.require(operands < 3 || n.in(1).shape[1] == n.in(operands - 1).shape[1],
            "k and v must have equally many rows; got ", n.in(operands - 2), " and ",
            n.in(operands - 1));
}

Value split_heads(Builder& b, Value x, int64_t heads) {
  return b.transpose(b.reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2) / heads}), {0, 2, 1, 3});
}

Value merge_heads(Builder& b, Value x) {
  return b.reshape(b.transpose(x, {0, 2, 1, 3}), {x.dim(0), x.dim(2), x.dim(1) * x.dim(3)});
}

std::array<Value, 3> attention_heads(Builder& b, const Node& n, int operands) {
  const AttentionShape s = attention_shape(n, operands);
  std::array<Value, 3> result;
  for (size_t i = 0; i < 3; ++i) {
    const auto& part = s.parts[i];
    const Value x = b.slice(n.input(part.input), 2, part.column, part.column + s.dim());
    result[i] = split_heads(b, b.cast(x, sum_dtype(x.dtype())), s.heads);
  }
  return result;
}

}  // namespace grimace::ops
