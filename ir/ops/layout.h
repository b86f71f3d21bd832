// What ops that only move elements share: loops over any element type by its size.
#pragma once

#include <cstring>

#include "ir/ops/elementwise.h"

namespace grimace::ops {

// Calls visit(W{}) with an unsigned integer of `size` bytes: elements are moved, not interpreted.
template <typename Visit>
void with_word(int64_t size, Visit&& visit) {
  switch (size) {
    case 1:
      return visit(uint8_t{});
    case 2:
      return visit(uint16_t{});
    case 4:
      return visit(uint32_t{});
    default:
      return visit(uint64_t{});
  }
}

// y[i] = x[sum_a index_a(i) * stride_a] for every element of `out`, row-major.
void copy_strided(const ConstView& x, const View& y, const std::array<int64_t, kMaxRank>& strides);

// A tensor seen as [outer, axis, inner] around one axis.
struct AroundAxis {
  int64_t outer = 1, length = 1, inner = 1;
};
AroundAxis around(const Shape& shape, int64_t axis);

// Throws the node's error when `axis` is not an axis of input 0.
void require_axis(const Node& n, int64_t axis);

}  // namespace grimace::ops
