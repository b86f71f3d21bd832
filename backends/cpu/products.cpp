// matmul and linear on oneDNN, weight gradients in tiles where there are any. Operands are f32, or
// bf16 with f32 accumulation; where the machine or the library has no fast bf16 product, bf16
// operands are widened to f32 first and bf16 results rounded last, which changes no value. Stable
// weights are packed once per version.
#include "backends/cpu/kernels.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/weight_gradient.h"
#include "ir/op_def.h"

namespace grimace::cpu {
namespace {

struct Product {
  Product(const Node& n, const Operands& o);

  const Node& node;
  MatmulSpec spec;
  MatmulOperands operands;
  int64_t a_count = 0;
  int64_t b_count = 0;
  int64_t c_count = 0;
  bool stable_b = false;
  bool own_b = false;
  const uint64_t* version = nullptr;
};

// Calls `pack` before the first run and after every change of the stable b.
Kernel with_packing(Kernel pack, Kernel run, const uint64_t* version) {
  return [pack = std::move(pack), run = std::move(run), version, packed = uint64_t{0},
          first = true]() mutable {
    const uint64_t current = version == nullptr ? 0 : *version;
    if (first || current != packed) pack();
    first = false;
    packed = current;
    run();
  };
}

// For errors. print(node) would name every value of the graph, once for each product.
std::string text_of(const Node& node) {
  return cat(node.describe(), " ", node.in(0), " by ", node.in(1), " to ", node.out());
}

Kernel direct(const Product& p, const Operands& operands, const Context& cpu) {
  const Packing wanted = p.own_b ? Packing::in_place : p.stable_b ? Packing::own : Packing::none;
  auto plan = std::make_shared<OneDnnMatmul>(p.spec, p.operands, wanted, cpu, text_of(p.node));
  cpu.workspace->add_private(plan->packed_bytes());
  const Kernel pack = [plan] { plan->pack(); };
  const Kernel run = [plan] { plan->run(); };
  if (plan->packing() == Packing::own) return with_packing(pack, run, p.version);
  if (plan->packing() == Packing::in_place)
    operands.keep_packed(1, pack, [plan] { plan->unpack(); });
  return run;
}

// The f32 copies live in the shared buffer for widened operands, a stable b in one of its own.
// Offsets keep 64-byte alignment.
Kernel widened(Product p, const Context& cpu) {
  const auto* narrow_a = static_cast<const bf16*>(p.operands.a);
  const auto* narrow_b = static_cast<const bf16*>(p.operands.b);
  const bool narrow_c = p.spec.result == DType::bf16;
  void* const result = p.operands.c;
  const auto aligned = [](int64_t count) { return (count + 15) / 16 * 16; };
  const int64_t b_offset = aligned(p.a_count);
  const int64_t c_offset = b_offset + (p.stable_b ? 0 : aligned(p.b_count));
  const auto own_b = std::make_shared<Tensor>();
  if (p.stable_b) *own_b = Tensor(DType::f32, {p.b_count});
  cpu.workspace->add_private(own_b->bytes());
  cpu.widened->reserve((c_offset + (narrow_c ? p.c_count : 0)) * size_of(DType::f32));
  p.spec.operand = p.spec.result = DType::f32;
  p.operands.a = p.operands.b = p.operands.c = cpu.widened->as<float>();
  const auto plan =
      std::make_shared<OneDnnMatmul>(p.spec, p.operands, Packing::none, cpu, text_of(p.node));
  const Kernel widen_own_b = [=] { widen(cpu, narrow_b, own_b->as<float>().data(), p.b_count); };
  const Kernel run = [=] {
    auto* a = cpu.widened->as<float>();
    auto* b = p.stable_b ? own_b->as<float>().data() : a + b_offset;
    void* c = narrow_c ? a + c_offset : result;
    widen(cpu, narrow_a, a, p.a_count);
    if (!p.stable_b) widen(cpu, narrow_b, b, p.b_count);
    plan->rebind(a, b, c);
    plan->run();
    if (narrow_c) narrow(cpu, a + c_offset, static_cast<bf16*>(result), p.c_count);
  };
  return p.stable_b ? with_packing(widen_own_b, run, p.version) : run;
}

Kernel product(const Product& p, const Operands& operands, const Context& cpu) {
  if (p.node.out().numel() == 0) return [] {};
  if (p.spec.k == 0) return reference_kernel(p.node, operands);
  if (serves_weight_gradient(p.spec, cpu)) return make_weight_gradient(p.spec, p.operands, cpu);
  if (p.spec.operand == DType::bf16 && !OneDnnMatmul::fast_bf16(p.spec, cpu))
    return widened(p, cpu);
  return direct(p, operands, cpu);
}

Product::Product(const Node& n, const Operands& o)
    : node(n),
      a_count(n.in(0).numel()),
      b_count(n.in(1).numel()),
      c_count(n.out().numel()),
      stable_b(o.stable.size() > 1 && o.stable[1]),
      own_b(o.own.size() > 1 && o.own[1]),
      version(o.version) {
  spec.operand = n.in(0).dtype;
  spec.result = n.out().dtype;
  operands.a = o.in[0].data;
  operands.b = o.in[1].data;
  operands.c = o.out[0].data;
}

}  // namespace

Kernel make_matmul(const Node& node, const Operands& operands, const Context& cpu) {
  Product p(node, operands);
  p.spec.transpose_a = node.flag("transpose_a");
  p.spec.transpose_b = node.flag("transpose_b");
  p.spec.shared_b = node.in(1).shape.rank() == 2;
  p.spec.m = node.out().shape[-2];
  p.spec.n = node.out().shape[-1];
  p.spec.k = node.in(0).shape[p.spec.transpose_a ? -2 : -1];
  const int64_t matrix = p.spec.m * p.spec.n;
  p.spec.batch = matrix == 0 ? 0 : node.out().numel() / matrix;
  return product(p, operands, cpu);
}

Kernel make_linear(const Node& node, const Operands& operands, const Context& cpu) {
  Product p(node, operands);
  p.spec.transpose_b = true;
  p.spec.n = node.in(1).shape[0];
  p.spec.k = node.in(1).shape[1];
  p.spec.m = p.spec.n == 0 ? 0 : node.out().numel() / p.spec.n;
  p.spec.bias = node.flag("bias");
  if (p.spec.bias) p.operands.bias = operands.in[2].as<float>().data();
  const std::string& epilogue = node.text("epilogue");
  if (epilogue == "gelu") p.spec.epilogue = Epilogue::gelu;
  if (epilogue == "add") {
    p.spec.epilogue = Epilogue::add;
    p.operands.residual = operands.in.back().as<float>().data();
  }
  return product(p, operands, cpu);
}

}  // namespace grimace::cpu
