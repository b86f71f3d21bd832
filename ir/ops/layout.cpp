#include "ir/ops/layout.h"

namespace grimace::ops {

void copy_strided(const ConstView& x, const View& y, const std::array<int64_t, kMaxRank>& strides) {
  const Shape& out = y.type.shape;
  with_word(size_of(y.type.dtype), [&](auto zero) {
    using W = decltype(zero);
    const W* from = static_cast<const W*>(x.data);
    W* to = static_cast<W*>(y.data);
    std::array<int64_t, kMaxRank> index{};
    int64_t offset = 0;
    for (int64_t flat = 0; flat < out.numel(); ++flat) {
      to[flat] = from[offset];
      for (int axis = out.rank() - 1; axis >= 0; --axis) {
        const auto a = static_cast<size_t>(axis);
        offset += strides[a];
        if (++index[a] < out[axis]) break;
        offset -= strides[a] * index[a];
        index[a] = 0;
      }
    }
  });
}

AroundAxis around(const Shape& shape, int64_t axis) {
  AroundAxis result;
  for (int i = 0; i < shape.rank(); ++i) {
    if (i < axis) result.outer *= shape[i];
    if (i == axis) result.length = shape[i];
    if (i > axis) result.inner *= shape[i];
  }
  return result;
}

void require_axis(const Node& n, int64_t axis) {
  n.require(axis >= 0 && axis < n.in(0).shape.rank(), "axis ", axis, " is not one of ", n.in(0));
}

}  // namespace grimace::ops
