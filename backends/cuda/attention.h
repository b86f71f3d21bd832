// Shared by the attention kernels: where heads lie on the device, and the makers that attention.cpp
// picks from.
#pragma once

#include <algorithm>

#include "backends/cuda/context.h"
#include "ir/op_def.h"
#include "ir/ops/attention.h"

namespace grimace::cuda {

// One of q, k, v, y or a gradient in its packed tensor: all distances in elements.
template <typename T>
struct PackedHeads {
  T* data = nullptr;   // first row and column of the first head
  int64_t sample = 0;  // from one sample to the next
  int64_t row = 0;     // from one row to the next
};

template <typename T>
struct AttentionArguments {
  PackedHeads<const T> q, k, v, dy;  // dy: of the gradient
  PackedHeads<T> y, dq, dk, dv;      // y: of the forward; the others of the gradient
  int64_t count = 0;                 // samples x heads
  int heads = 0, width = 0, queries = 0, keys = 0;
  float scale = 0.0f;
};

template <typename T>
AttentionArguments<T> attention_arguments(const Node& node, const Operands& operands) {
  const bool gradient = node.is(op_attention_grad);
  const ops::AttentionShape s = ops::attention_shape(node, node.num_inputs() - (gradient ? 1 : 0));
  AttentionArguments<T> a;
  a.count = s.batch * s.heads;
  a.heads = static_cast<int>(s.heads);
  a.width = static_cast<int>(s.width);
  a.queries = static_cast<int>(s.queries);
  a.keys = static_cast<int>(s.keys);
  a.scale = static_cast<float>(node.real("scale"));
  const auto heads = [&]<typename X>(X* data, size_t part) {
    const auto& p = s.parts[part];
    const int64_t rows = part == 0 ? s.queries : s.keys;
    return PackedHeads<X>{data + p.column, rows * p.columns, p.columns};
  };
  const auto in = [&](size_t part) {
    return heads(static_cast<const T*>(operands.in[size_t(s.parts[part].input)].data), part);
  };
  a.q = in(0), a.k = in(1), a.v = in(2);
  const int64_t sample = s.queries * s.dim();
  if (!gradient) {
    a.y = {static_cast<T*>(operands.out[0].data), sample, s.dim()};
    return a;
  }
  a.dy = {static_cast<const T*>(operands.in.back().data), sample, s.dim()};
  const auto out = [&](size_t part) {
    return heads(static_cast<T*>(operands.out[size_t(s.parts[part].input)].data), part);
  };
  a.dq = out(0), a.dk = out(1), a.dv = out(2);
  return a;
}

// One dimension of a grid; at least one block.
inline unsigned grid_of(int64_t blocks) {
  check(blocks < int64_t{1} << 31, "attention over ", blocks,
        " blocks: a GPU starts at most 2^31 - 1; use a smaller batch");
  return static_cast<unsigned>(std::max<int64_t>(1, blocks));
}

// kernels/attention.cu: f32, bf16 and f16, any number of rows and heads, width up to 256.
constexpr int64_t kWidestHead = 256;
GpuKernel make_general_attention(const Node&, const Operands&, const Context&);
GpuKernel make_general_attention_grad(const Node&, const Operands&, const Context&);

// kernels/attention_mma*.cu: bf16 of the widths that tensor cores are fed with here.
bool has_mma_attention(DType dtype, const ops::AttentionShape& s);
GpuKernel make_mma_attention(const Node&, const Operands&, const Context&);
GpuKernel make_mma_attention_grad(const Node&, const Operands&, const Context&);
// Of make_mma_attention_grad, by the number of keys and queries.
bool fits_few_keys(const ops::AttentionShape& s);
GpuKernel make_few_keys_grad(const AttentionArguments<Bf16>&);
bool fits_one_block(const ops::AttentionShape& s);
GpuKernel make_one_block_grad(const AttentionArguments<Bf16>&);

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)
// Head number `item` in [0, count).
template <typename X, typename T>
__device__ __forceinline__ X* head_of(const PackedHeads<X>& heads, const AttentionArguments<T>& a,
                                      int64_t item) {
  return heads.data + item / a.heads * heads.sample + item % a.heads * a.width;
}
#endif

}  // namespace grimace::cuda
