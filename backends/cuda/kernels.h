// Every kernel family of the cuda backend: each makes the kernel of one node, with the operands'
// device addresses built in (64-byte aligned, dense, row-major). Results may overwrite an input of
// the same type where the op's aliasing allows it. Every sum has a fixed order: runs repeat bit for
// bit. `serves_...` says which nodes of an op a family computes.
#pragma once

#include <span>

#include "backends/cuda/context.h"

namespace grimace::cuda {

// kernels/elementwise.cu: NumPy broadcasting, any element type the op allows; 16-bit floats are
// computed in f32.
bool serves_elementwise(const Node&);
GpuKernel make_elementwise(const Node&, const Operands&,
                           const Context&);  // all ops so marked, gelu too

// kernels/copies.cu: transpose, broadcast, slice, pad, concat; any element type, by its size.
bool serves_copy(const Node&);
GpuKernel make_copy(const Node&, const Operands&, const Context&);

// kernels/tokens.cu: gather_rows, scatter_rows (no float atomics), mask_indices, one_hot. Bad
// indices and masks are faults.
bool serves_tokens(const Node&);
GpuKernel make_tokens(const Node&, const Operands&, const Context&);

// kernels/sources.cu: full, position_table, random_uniform (Philox, the same numbers as
// everywhere).
bool serves_source(const Node&);
GpuKernel make_source(const Node&, const Operands&, const Context&);

// kernels/reduce.cu: reduce_sum over any axes, f32 sums of f32 and 16-bit floats.
bool serves_reduce(const Node&);
GpuKernel make_reduce(const Node&, const Operands&, const Context&);

// kernels/softmax.cu, kernels/layer_norm.cu: rows, forward and backward.
bool serves_softmax(const Node&);
GpuKernel make_softmax(const Node&, const Operands&, const Context&);
bool serves_layer_norm(const Node&);
GpuKernel make_layer_norm(const Node&, const Operands&, const Context&);

// kernels/losses.cu: cross_entropy, mean_squared_error, reconstruction_target, reconstruction_loss.
bool serves_loss(const Node&);
GpuKernel make_loss(const Node&, const Operands&, const Context&);

// kernels/pixels.cu: normalise_pixels.
bool serves_pixels(const Node&);
GpuKernel make_pixels(const Node&, const Operands&, const Context&);

// kernels/optimizer.cu: global_norm, adamw.
bool serves_optimizer(const Node&);
GpuKernel make_optimizer(const Node&, const Operands&, const Context&);
// The adamw nodes of a step in one kernel, a launch for every 48 of them. They must share lr,
// weight_decay, scale, step, apply, betas and eps; and none may write what another one reads, which
// the plan decides.
bool same_adamw_group(const Node&, const Node&);
bool independent_adamw(const Operands& a, const Operands& b);
GpuKernel make_adamw_group(std::span<const Node* const> nodes, std::span<const Operands> operands,
                           const Context&);

// attention.cpp picks: cuDNN (sdpa.h), kernels/attention_mma.cu (tensor cores, bf16) or
// kernels/attention.cu (any float type, any size).
bool serves_attention(const Node&);
GpuKernel make_attention(const Node&, const Operands&, const Context&);

// products.cpp: matmul and linear, by cuBLASLt (matmul.h).
bool serves_product(const Node&);
GpuKernel make_product(const Node&, const Operands&, const Context&);

}  // namespace grimace::cuda
