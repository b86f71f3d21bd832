// y = a < b as bool, with NumPy broadcasting
#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

struct F {
  template <typename T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};

std::vector<TensorType> infer(const Node& n) {
  return {{DType::boolean, infer_binary(n)[0].shape}};
}

}  // namespace

constinit const OpDef op_less{
    .name = "less",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .flops = one_flop_per_element,
    .reference = reference_binary<F>,
    .elementwise = true,
};

}  // namespace grimace
