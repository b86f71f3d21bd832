// What attention and its gradient share: where queries, keys and values lie in packed projections.
#pragma once

#include <array>

#include "ir/op_def.h"

namespace grimace::ops {

// Heads are contiguous blocks of `width` columns. The operands come packed as the projections that
// made them: one input [B,T,3C] = q k v; two, [B,T1,C] = q and [B,T2,2C] = k v; or three of C.
struct AttentionShape {
  struct Part {
    int input = 0;        // which input holds it
    int64_t column = 0;   // of its first head
    int64_t columns = 0;  // of that input
  };
  int64_t batch = 0, queries = 0, keys = 0, heads = 0, width = 0;
  std::array<Part, 3> parts;  // q, k, v
  int64_t dim() const { return heads * width; }
  bool empty() const { return batch == 0 || queries == 0 || keys == 0 || width == 0; }
};

// `operands`: how many of the node's inputs are q, k and v; the rest is the gradient's.
AttentionShape attention_shape(const Node& n, int operands);
// Throws Error when they do not fit each other or the number of heads.
void require_attention_operands(const Node& n, int operands);

// The parts as [B,heads,T,width] from packed inputs, 16-bit ones widened to f32.
std::array<Value, 3> attention_heads(Builder& b, const Node& n, int operands);
// [B,T,C] as [B,heads,T,width], and back.
Value split_heads(Builder& b, Value x, int64_t heads);
Value merge_heads(Builder& b, Value x);

}  // namespace grimace::ops
