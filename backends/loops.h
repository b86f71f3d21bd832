// Loop nests over strided operands: an iteration space with one stride per axis and operand,
// reduced to as few axes as describe it. Shared by broadcasting, copies and transposes, on the CPU
// and on GPUs.
#pragma once

#include <array>

#include "ir/types.h"

namespace grimace {

// N operands walked together. After collapse() the rank is at least 1.
template <size_t N>
struct Loops {
  using Strides = std::array<int64_t, kMaxRank>;

  int rank = 0;
  std::array<int64_t, kMaxRank> dims{};
  std::array<Strides, N> strides{};  // in elements, by operand

  int64_t count() const {
    int64_t n = 1;
    for (int axis = 0; axis < rank; ++axis) n *= dims[static_cast<size_t>(axis)];
    return n;
  }
  int64_t cols() const { return dims[static_cast<size_t>(rank - 1)]; }
  int64_t rows() const { return cols() == 0 ? 0 : count() / cols(); }
  int64_t step(size_t operand) const { return strides[operand][static_cast<size_t>(rank - 1)]; }
};

// Drops axes of length 1 and merges neighbours that every operand walks as one.
template <size_t N>
Loops<N> collapse(const Shape& shape, const std::array<std::array<int64_t, kMaxRank>, N>& strides) {
  Loops<N> out;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const auto a = static_cast<size_t>(axis);
    const int64_t dim = shape[axis];
    if (dim == 1) continue;
    const auto last = static_cast<size_t>(out.rank - 1);
    bool merges = out.rank > 0;
    for (size_t k = 0; merges && k < N; ++k) merges = out.strides[k][last] == strides[k][a] * dim;
    const size_t at = merges ? last : static_cast<size_t>(out.rank++);
    out.dims[at] = merges ? out.dims[at] * dim : dim;
    for (size_t k = 0; k < N; ++k) out.strides[k][at] = strides[k][a];
  }
  if (out.rank == 0) out.dims[static_cast<size_t>(out.rank++)] = 1;
  return out;
}

// Calls row(offsets) for rows [begin, end): all axes but the last, the last varying fastest.
// offsets[k] is where the row starts in operand k.
template <size_t N, typename Row>
inline void for_each_row(const Loops<N>& loops, int64_t begin, int64_t end, const Row& row) {
  std::array<int64_t, kMaxRank> index{};
  std::array<int64_t, N> offset{};
  int64_t rest = begin;
  for (int axis = loops.rank - 2; axis >= 0; --axis) {
    const auto a = static_cast<size_t>(axis);
    index[a] = rest % loops.dims[a];
    rest /= loops.dims[a];
    for (size_t k = 0; k < N; ++k) offset[k] += index[a] * loops.strides[k][a];
  }
  for (int64_t i = begin; i < end; ++i) {
    row(offset);
    for (int axis = loops.rank - 2; axis >= 0; --axis) {
      const auto a = static_cast<size_t>(axis);
      for (size_t k = 0; k < N; ++k) offset[k] += loops.strides[k][a];
      if (++index[a] < loops.dims[a]) break;
      for (size_t k = 0; k < N; ++k) offset[k] -= loops.strides[k][a] * loops.dims[a];
      index[a] = 0;
    }
  }
}

}  // namespace grimace
