// index i32 [B,count]: where mask u8 [B,N] equals `value`, in rising order. A row with another
// number of such places is a RunError: masks are data.
#include "ir/ops/layout.h"

namespace grimace {
namespace {

std::vector<TensorType> infer(const Node& n) {
  const TensorType& mask = n.in(0);
  n.require(mask.dtype == DType::u8 && mask.shape.rank() == 2, "mask must be u8[BxN]; got ", mask);
  const int64_t count = n.integer("count");
  n.require(count >= 0 && count <= mask.shape[1], "count ", count, " is outside 0..",
            mask.shape[1]);
  return {{DType::i32, {mask.shape[0], count}}};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto mask = in[0].as<uint8_t>();
  const auto index = out[0].as<int32_t>();
  const int64_t tokens = n.in(0).shape[1];
  const int64_t count = n.integer("count");
  const int64_t value = n.integer("value");
  for (int64_t row = 0; row < n.in(0).shape[0]; ++row) {
    int64_t found = 0;
    for (int64_t i = 0; i < tokens; ++i) {
      if (mask[static_cast<size_t>(row * tokens + i)] != value) continue;
      if (found < count) index[static_cast<size_t>(row * count + found)] = static_cast<int32_t>(i);
      ++found;
    }
    if (found != count)
      throw RunError(cat(n.describe(), ": mask row ", row, " has ", found, " tokens of value ",
                         value, "; the graph was built for ", count));
  }
}

}  // namespace

constinit const OpDef op_mask_indices{
    .name = "mask_indices",
    .attrs = {{{"value", AttrKind::integer}, {"count", AttrKind::integer}}},
    .infer = infer,
    .reference = reference,
};

}  // namespace grimace
