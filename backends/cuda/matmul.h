// One matrix product with its tail, y = epilogue(op(a) op(b) + bias) + residual, row-major, by
// cuBLASLt on a device (cublaslt.cpp) and by plain loops on the emulated one. Everything is known
// when it is made; prepare() picks the algorithm on the device, run() only enqueues.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backends/cuda/context.h"

namespace grimace::cuda {

struct MatmulSpec {
  int64_t batch = 1, m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  bool shared_b = false;       // one b for the whole batch
  DType operand = DType::f32;  // of a and b: f32, bf16 or f16
  DType result = DType::f32;   // of y: f32 or the operands' type
  bool tf32 = false;           // f32 operands only
  bool bias = false;           // f32 [n], added to every row; cuBLASLt's has the type of y, and is
                               // rounded to it
  bool residual = false;       // f32 [batch,m,n], added to the product
  bool operator==(const MatmulSpec&) const = default;
};
struct MatmulOperands {
  const void* a = nullptr;
  const void* b = nullptr;
  const float* bias = nullptr;
  const float* residual = nullptr;  // may be y
  void* y = nullptr;
};

class Matmul {
 public:
  virtual ~Matmul() = default;
  virtual void prepare() = 0;
  virtual void run(cudaStream_t stream) = 0;
};
std::unique_ptr<Matmul> make_matmul(const MatmulSpec& spec, const MatmulOperands& operands,
                                    const Context& context, std::string node_text);
// "cublasLt bf16 6464x512x2048, bias"
std::string to_string(const MatmulSpec& spec);

}  // namespace grimace::cuda
