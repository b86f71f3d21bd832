// The cpu backend's kernel factory: one table from op to kernel.
#pragma once

#include "backends/cpu/context.h"
#include "runtime/executable.h"

namespace grimace::cpu {

// Whether a kernel of this backend computes the node.
bool has_kernel(const Node& node);
// Whether it runs fast: in such a kernel, or because there is little to do.
bool is_fast(const Node& node);

// Makes the backend's kernel where there is one, and else runs the op's reference kernel.
class CpuKernels : public KernelFactory {
 public:
  explicit CpuKernels(Context context) : context_(std::move(context)) {}
  Kernel make(const Node& node, const Operands& operands) override;
  bool is_fast(const Node& node) const override { return cpu::is_fast(node); }
  int64_t private_bytes() const override {
    return context_.workspace->bytes() + context_.widened->bytes();
  }

 private:
  Context context_;
};

}  // namespace grimace::cpu
