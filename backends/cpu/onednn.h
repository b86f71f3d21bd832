// The one place that knows oneDNN: matrix products with bias, GELU and residual, for the packaged
// 2.6.3 (Debian 12) and for 3.x (Debian 13, Ubuntu). No oneDNN header is seen outside onednn.cpp,
// and every oneDNN failure leaves as a RunError with the node's text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backends/cpu/context.h"

namespace grimace::cpu {

enum class Epilogue : uint8_t { none, gelu, add };

// c = epilogue(op(a) op(b) + bias), all dense and row-major: op(a) is [batch, m, k], stored as
// [batch, k, m] when transpose_a; op(b) is [batch, k, n], stored as [batch, n, k] when transpose_b,
// and without its batch axis when shared_b. bias [n] and residual [batch, m, n] are f32, sums too.
struct MatmulSpec {
  int64_t batch = 1;
  int64_t m = 0, n = 0, k = 0;  // all positive
  bool transpose_a = false, transpose_b = false;
  bool shared_b = false;
  DType operand = DType::f32;  // of a and b: f32 or bf16
  DType result = DType::f32;   // of c: f32, or bf16 with bf16 operands
  bool bias = false;
  Epilogue epilogue = Epilogue::none;
};

struct MatmulOperands {
  const void* a = nullptr;
  const void* b = nullptr;
  const float* bias = nullptr;
  const float* residual = nullptr;
  void* c = nullptr;
};

// Where b lies in the order that oneDNN likes best: nowhere, in memory of the product's own, or in
// the place of b itself (where it then fits exactly; else it stays as it is).
enum class Packing : uint8_t { none, own, in_place };

class OneDnnMatmul {
 public:
  // Whether oneDNN has a fast primitive for bf16 operands here; without one it is faster to widen
  // them to f32.
  static bool fast_bf16(const MatmulSpec& spec, const Context& cpu);

  // Prepares the product for these addresses. Unless packing is none, pack() is to be called before
  // run() whenever b has changed. In place, unpack() brings back what pack() was given.
  //
  // b is packed only where it is stable (inference). Packing once per run does not pay: measured
  // on one Zen 5 core, GFLOP/s for plain / packed each run / packed once,
  //   6464x512x512   f32 264 / 277 / 280   bf16 538 / 532 / 530
  //   6400x384x1536  f32 260 / 274 / 278   bf16 515 / 520 / 556
  //   704x512x2048   f32 261 / 249 / 233   bf16 501 / 391 / 470
  OneDnnMatmul(const MatmulSpec& spec, const MatmulOperands& operands, Packing packing,
               const Context& cpu, std::string node_text);
  ~OneDnnMatmul();
  OneDnnMatmul(const OneDnnMatmul&) = delete;
  OneDnnMatmul& operator=(const OneDnnMatmul&) = delete;

  Packing packing() const;  // none where oneDNN likes b as it is
  void pack();
  void unpack();
  // Other addresses for a, an unpacked b, and c.
  void rebind(const void* a, const void* b, void* c);
  void run();
  int64_t packed_bytes() const;             // in memory of its own
  std::string_view implementation() const;  // oneDNN's name for it

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "2.6.3", of the library that is loaded.
std::string onednn_version();

}  // namespace grimace::cpu
