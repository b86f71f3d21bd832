// Every kernel family of the cpu backend: each makes the kernel of one node, with the operands'
// addresses built in. All element types are f32 unless said; shapes are those of the op. Results
// may overwrite an input of the same type where the op's aliasing allows it. Work is split over
// context.threads in parts that depend on that number alone: runs repeat bit for bit.
#pragma once

#include "backends/cpu/context.h"
#include "runtime/executable.h"

namespace grimace::cpu {

using MakeKernel = Kernel (*)(const Node&, const Operands&, const Context&);

// elementwise.cpp: all of these with NumPy broadcasting.
Kernel make_add(const Node&, const Operands&, const Context&);
Kernel make_sub(const Node&, const Operands&, const Context&);
Kernel make_mul(const Node&, const Operands&, const Context&);
Kernel make_div(const Node&, const Operands&, const Context&);
Kernel make_maximum(const Node&, const Operands&, const Context&);
Kernel make_minimum(const Node&, const Operands&, const Context&);
Kernel make_less(const Node&, const Operands&, const Context&);         // -> bool
Kernel make_logical_and(const Node&, const Operands&, const Context&);  // bool
Kernel make_select(const Node&, const Operands&, const Context&);       // bool, any, any

// unary.cpp
Kernel make_neg(const Node&, const Operands&, const Context&);
Kernel make_exp(const Node&, const Operands&, const Context&);
Kernel make_log(const Node&, const Operands&, const Context&);
Kernel make_sqrt(const Node&, const Operands&, const Context&);
Kernel make_rsqrt(const Node&, const Operands&, const Context&);
Kernel make_erf(const Node&, const Operands&, const Context&);
Kernel make_floor(const Node&, const Operands&, const Context&);
Kernel make_is_finite(const Node&, const Operands&, const Context&);  // -> bool
Kernel make_gelu(const Node&, const Operands&, const Context&);
Kernel make_gelu_grad(const Node&, const Operands&, const Context&);
bool serves_cast(const Node&);  // between f32 and bf16, i32, i64, u8 or bool
Kernel make_cast(const Node&, const Operands&, const Context&);
// dst[i] = src[i], with bf16 widened to f32.
void widen(const Context& cpu, const bf16* src, float* dst, int64_t count);
// dst[i] = src[i] rounded to bf16.
void narrow(const Context& cpu, const float* src, bf16* dst, int64_t count);

// products.cpp: f32, or bf16 operands with f32 accumulation and results.
Kernel make_matmul(const Node&, const Operands&, const Context&);
Kernel make_linear(const Node&, const Operands&, const Context&);

// reduce.cpp
Kernel make_reduce_sum(const Node&, const Operands&, const Context&);

// softmax.cpp
Kernel make_softmax(const Node&, const Operands&, const Context&);
Kernel make_softmax_grad(const Node&, const Operands&, const Context&);

// attention.cpp and attention_grad.cpp: f32 or bf16 operands and results, f32 sums.
bool serves_attention(const Node&);
Kernel make_attention(const Node&, const Operands&, const Context&);
Kernel make_attention_grad(const Node&, const Operands&, const Context&);

// reconstruction.cpp: differences inside a cube, or none.
bool serves_reconstruction_target(const Node&);
Kernel make_reconstruction_target(const Node&, const Operands&, const Context&);
bool serves_reconstruction_loss(const Node&);
Kernel make_reconstruction_loss(const Node&, const Operands&, const Context&);

// pixels.cpp: u8 -> f32.
Kernel make_normalise_pixels(const Node&, const Operands&, const Context&);

// layer_norm.cpp
Kernel make_layer_norm(const Node&, const Operands&, const Context&);
Kernel make_layer_norm_grad(const Node&, const Operands&, const Context&);

// copies.cpp: any element type.
Kernel make_transpose(const Node&, const Operands&, const Context&);
Kernel make_broadcast(const Node&, const Operands&, const Context&);
Kernel make_slice(const Node&, const Operands&, const Context&);
Kernel make_pad(const Node&, const Operands&, const Context&);
Kernel make_concat(const Node&, const Operands&, const Context&);

// rows.cpp: gather any element type. RunError naming the node for an index out of range.
Kernel make_gather_rows(const Node&, const Operands&, const Context&);
Kernel make_scatter_rows(const Node&, const Operands&, const Context&);

// global_norm.cpp
Kernel make_global_norm(const Node&, const Operands&, const Context&);

// adamw.cpp: in one sweep, in place or not.
Kernel make_adamw(const Node&, const Operands&, const Context&);

}  // namespace grimace::cpu
