// make_matmul for the emulated GPU: the reference product in f32, where a device has cuBLASLt.
#include <bit>
#include <cstring>
#include <vector>

#include "backends/cuda/matmul.h"
#include "ir/ops/gemm.h"

namespace grimace::cuda {
namespace {

// f32 as the tensor cores read it: 10 bits of mantissa, rounded to nearest.
float to_tf32(float v) {
  const auto bits = std::bit_cast<uint32_t>(v);
  return std::isfinite(v) ? std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu) : v;
}

template <typename T>
void widen(const void* from, std::vector<float>& to, bool tf32) {
  const T* values = static_cast<const T*>(from);
  for (size_t i = 0; i < to.size(); ++i) to[i] = to_float(values[i]);
  if (tf32)
    for (float& v : to) v = to_tf32(v);
}

std::vector<float> read(const void* from, int64_t count, const MatmulSpec& spec) {
  std::vector<float> values(static_cast<size_t>(count));
  if (spec.operand == DType::f32) widen<float>(from, values, spec.tf32);
  if (spec.operand == DType::bf16) widen<Bf16>(from, values, false);
  if (spec.operand == DType::f16) widen<F16>(from, values, false);
  return values;
}

template <typename T>
void narrow(const std::vector<float>& from, void* to) {
  T* values = static_cast<T*>(to);
  for (size_t i = 0; i < from.size(); ++i) values[i] = from_float<T>(from[i]);
}

void write(const std::vector<float>& values, void* to, DType type) {
  if (type == DType::f32) narrow<float>(values, to);
  if (type == DType::bf16) narrow<Bf16>(values, to);
  if (type == DType::f16) narrow<F16>(values, to);
}

void multiply(const MatmulSpec& s, const MatmulOperands& at) {
  const std::vector<float> a = read(at.a, s.batch * s.m * s.k, s);
  const std::vector<float> b = read(at.b, (s.shared_b ? 1 : s.batch) * s.k * s.n, s);
  std::vector<float> y(static_cast<size_t>(s.batch * s.m * s.n));
  for (int64_t i = 0; i < s.batch; ++i)
    ops::gemm(s.transpose_a, s.transpose_b, s.m, s.n, s.k, a.data() + i * s.m * s.k,
              b.data() + (s.shared_b ? 0 : i * s.k * s.n), y.data() + i * s.m * s.n);
  for (size_t i = 0; i < y.size(); ++i) {
    if (s.bias) y[i] += at.bias[i % static_cast<size_t>(s.n)];
    if (s.residual) y[i] += at.residual[i];
  }
  write(y, at.y, s.result);
}

class EmulatedMatmul : public Matmul {
 public:
  EmulatedMatmul(const MatmulSpec& spec, const MatmulOperands& operands)
      : spec_(spec), operands_(operands) {}
  void prepare() override {}
  void run(cudaStream_t stream) override {
    emulator::enqueue(stream, [spec = spec_, at = operands_] { multiply(spec, at); });
  }

 private:
  MatmulSpec spec_;
  MatmulOperands operands_;
};

}  // namespace

std::unique_ptr<Matmul> make_matmul(const MatmulSpec& spec, const MatmulOperands& operands,
                                    const Context&, std::string node_text) {
  internal_check(is_float(spec.operand) && spec.operand != DType::f64, node_text,
                 ": no product of ", spec.operand);
  return std::make_unique<EmulatedMatmul>(spec, operands);
}

}  // namespace grimace::cuda
