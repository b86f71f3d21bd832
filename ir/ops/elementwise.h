// What elementwise ops share: broadcasting inference, gradient helpers and the reference loops.
#pragma once

#include <array>

#include "ir/builder.h"
#include "ir/op_def.h"

namespace grimace::ops {

// Calls visit(T{}) with T = float or double. Other float types are widened before a reference
// kernel sees them (ir/interpret.h).
template <typename Visit>
void with_float(DType dtype, Visit&& visit) {
  if (dtype == DType::f32) return visit(float{});
  if (dtype == DType::f64) return visit(double{});
  throw InternalError(cat("reference kernel called with ", name_of(dtype)));
}

// What sums of such elements are made in.
inline DType sum_dtype(DType dtype) {
  return is_float(dtype) && size_of(dtype) == 2 ? DType::f32 : dtype;
}
// The result type of an op that can round what it computes in `natural`: attribute `result`, f32
// meaning as it is. Error where it names anything but a 16-bit float.
DType result_dtype(const Node& n, DType natural);

inline int64_t one_flop_per_element(const Node& n) {
  return n.out().numel();
}

// NumPy broadcasting of the shapes of inputs [first, last); Error naming both shapes otherwise.
Shape broadcast_shape(const Node& n, int first, int last);
// float in, same type out.
std::vector<TensorType> infer_unary(const Node& n);
// Two inputs of one dtype, float, i32 or i64 -> that dtype, broadcast.
std::vector<TensorType> infer_binary(const Node& n);

// Strides (in elements) with which to read an input of `shape` while walking `out`: 0 where it is
// broadcast.
std::array<int64_t, kMaxRank> broadcast_strides(const Shape& shape, const Shape& out);

// Calls body(flat output index, offset into input 0, 1, ...) for every element of `out`.
template <size_t N, typename Body>
void for_each_broadcast(const Shape& out, const std::array<Shape, N>& ins, Body&& body) {
  std::array<std::array<int64_t, kMaxRank>, N> strides;
  for (size_t k = 0; k < N; ++k) strides[k] = broadcast_strides(ins[k], out);
  std::array<int64_t, kMaxRank> index{};
  std::array<size_t, N> offset{};
  for (int64_t flat = 0; flat < out.numel(); ++flat) {
    body(static_cast<size_t>(flat), offset);
    for (int axis = out.rank() - 1; axis >= 0; --axis) {
      const auto a = static_cast<size_t>(axis);
      for (size_t k = 0; k < N; ++k) offset[k] += static_cast<size_t>(strides[k][a]);
      if (++index[a] < out[axis]) break;
      for (size_t k = 0; k < N; ++k) offset[k] -= static_cast<size_t>(strides[k][a] * index[a]);
      index[a] = 0;
    }
  }
}

template <typename F>
void reference_unary(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto x = in[0].as<T>();
    const auto y = out[0].as<T>();
    for (size_t i = 0; i < x.size(); ++i) y[i] = F{}(x[i]);
  });
}

// F: (T, T) -> T on floats, or T -> bool when `Result` is bool.
template <typename F>
void reference_binary(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    using R = decltype(F{}(zero, zero));
    const auto a = in[0].as<T>();
    const auto b = in[1].as<T>();
    const auto y = out[0].as<R>();
    for_each_broadcast<2>(n.out().shape, {n.in(0).shape, n.in(1).shape},
                          [&](size_t i, const auto& o) { y[i] = F{}(a[o[0]], b[o[1]]); });
  };
  switch (n.in(0).dtype) {
    case DType::i32:
      return run(int32_t{});
    case DType::i64:
      return run(int64_t{});
    default:
      return with_float(n.in(0).dtype, run);
  }
}

}  // namespace grimace::ops
