// y = the largest integer <= x; its gradient is zero everywhere, so none flows.
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  T operator()(T x) const {
    return std::floor(x);
  }
};

}  // namespace

constinit const OpDef op_floor{
    .name = "floor",
    .infer = infer_unary,
    .flops = one_flop_per_element,
    .reference = reference_unary<F>,
    .elementwise = true,
    .aliasing = Aliasing::elementwise,
};

}  // namespace grimace
