// c [m,n] = a^T b in AMX tiles, for a [k,m] and b [k,n] in bf16 and c in f32: the gradient of a
// linear layer's weight, a sum over all tokens of the batch.
#pragma once

#include "backends/cpu/context.h"
#include "backends/cpu/onednn.h"
#include "runtime/executable.h"

namespace grimace::cpu {

bool serves_weight_gradient(const MatmulSpec& spec, const Context& cpu);
Kernel make_weight_gradient(const MatmulSpec& spec, const MatmulOperands& operands,
                            const Context& cpu);

}  // namespace grimace::cpu
