// matmul and linear: one library product (matmul.h), which takes a bias and an f32 residual along.
// Where it cannot, one kernel in place after it does all that follows (kernels/product_tail.h):
// gelu, since cuBLASLt's is the tanh approximation and ours is exact, and residuals of 16-bit
// results. Such a 16-bit result has been rounded once before.
#include <utility>

#include "backends/cuda/kernels.h"
#include "backends/cuda/kernels/product_tail.h"
#include "backends/cuda/matmul.h"
#include "ir/op_def.h"

namespace grimace::cuda {
namespace {

struct Product {
  MatmulSpec spec;
  MatmulOperands operands;
  ProductTail tail;
};

Product matmul_of(const Node& node) {
  Product p;
  MatmulSpec& s = p.spec;
  s.transpose_a = node.flag("transpose_a");
  s.transpose_b = node.flag("transpose_b");
  const Shape& a = node.in(0).shape;
  s.m = node.out().shape[-2];
  s.n = node.out().shape[-1];
  s.k = a[s.transpose_a ? -2 : -1];
  for (int axis = 0; axis + 2 < a.rank(); ++axis) s.batch *= a[axis];
  s.shared_b = s.batch != 1 && node.in(1).shape.rank() == 2;
  // Rows of a batch that shares b lie one under the other: one product.
  if (s.shared_b && !s.transpose_a) {
    s.m *= std::exchange(s.batch, 1);
    s.shared_b = false;
  }
  return p;
}

Product linear_of(const Node& node, const Operands& operands) {
  Product p;
  MatmulSpec& s = p.spec;
  s.transpose_b = true;
  s.n = node.in(1).shape[0];
  s.k = node.in(1).shape[1];
  s.m = s.n == 0 ? 0 : node.out().numel() / s.n;
  p.tail.add_bias = node.flag("bias");
  if (p.tail.add_bias) p.tail.bias = operands.in[2].as<float>().data();
  p.tail.gelu = node.text("epilogue") == "gelu";
  p.tail.add_residual = node.text("epilogue") == "add";
  if (p.tail.add_residual) p.tail.residual = operands.in.back().as<float>().data();
  return p;
}

Product product_of(const Node& node, const Operands& operands, const Context& context) {
  Product p = node.is(op_linear) ? linear_of(node, operands) : matmul_of(node);
  p.spec.operand = node.in(0).dtype;
  p.spec.result = node.out().dtype;
  p.spec.tf32 = context.tf32 && p.spec.operand == DType::f32;
  p.operands.a = operands.in[0].data;
  p.operands.b = operands.in[1].data;
  p.operands.y = operands.out[0].data;
  p.tail.dtype = node.out().dtype;
  p.tail.rows = p.spec.batch * p.spec.m;
  p.tail.cols = p.spec.n;
  p.tail.y = operands.out[0].data;
  p.tail.multiprocessors = context.properties.multiprocessors;
  return p;
}

// What the library's product can do on its way out moves there, unless a tail must run anyway.
void move_to_product(Product& p) {
  if (p.tail.gelu || (p.tail.add_residual && p.spec.result != DType::f32)) return;
  p.spec.bias = std::exchange(p.tail.add_bias, false);
  p.spec.residual = std::exchange(p.tail.add_residual, false);
  p.operands.bias = p.tail.bias;
  p.operands.residual = p.tail.residual;
}

GpuKernel tail_alone(ProductTail tail) {
  tail.product = false;
  return {.name = cat("product_tail ", name_of(tail.dtype), ", ", to_string(tail)),
          .run = [tail](cudaStream_t stream) { launch_product_tail(tail, stream); }};
}

// For errors. print(node) would name every value of the graph, once for each product.
std::string text_of(const Node& node) {
  return cat(node.describe(), " ", node.in(0), " by ", node.in(1), " to ", node.out());
}

}  // namespace

bool serves_product(const Node& node) {
  const DType operand = node.in(0).dtype;
  const DType result = node.out().dtype;
  return is_gpu_float(operand) && (result == DType::f32 || result == operand);
}

GpuKernel make_product(const Node& node, const Operands& operands, const Context& context) {
  Product p = product_of(node, operands, context);
  if (node.out().numel() == 0) return nothing();
  if (p.spec.k == 0) return tail_alone(p.tail);
  move_to_product(p);
  const std::shared_ptr<Matmul> matmul = make_matmul(p.spec, p.operands, context, text_of(node));
  GpuKernel kernel{.name = to_string(p.spec),
                   .run = [matmul](cudaStream_t stream) { matmul->run(stream); },
                   .prepare = [matmul] { matmul->prepare(); }};
  if (p.tail.empty()) return kernel;
  kernel.name += cat("; ", to_string(p.tail));
  kernel.run = [matmul, tail = p.tail](cudaStream_t stream) {
    matmul->run(stream);
    launch_product_tail(tail, stream);
  };
  return kernel;
}

std::string to_string(const MatmulSpec& s) {
  std::string text = cat("cublasLt ", s.tf32 ? "tf32" : name_of(s.operand), " ");
  if (s.batch != 1) text += cat(s.batch, " of ");
  text += cat(s.m, "x", s.n, "x", s.k);
  if (s.transpose_a || s.transpose_b)
    text += cat(" ", s.transpose_a ? "t" : "n", s.transpose_b ? "t" : "n");
  if (s.shared_b) text += ", shared b";
  if (s.result != DType::f32) text += cat(", to ", name_of(s.result));
  if (s.bias) text += ", bias";
  if (s.residual) text += ", residual";
  return text;
}

}  // namespace grimace::cuda
