// A typed look at a dense tensor somebody else owns.
#pragma once

#include <span>

#include "ir/error.h"
#include "ir/float16.h"
#include "ir/types.h"

namespace grimace {

// clang-format off
template <typename T> struct DTypeOf;
template <> struct DTypeOf<float> { static constexpr DType value = DType::f32; };
template <> struct DTypeOf<bf16> { static constexpr DType value = DType::bf16; };
template <> struct DTypeOf<f16> { static constexpr DType value = DType::f16; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::f64; };
template <> struct DTypeOf<int32_t> { static constexpr DType value = DType::i32; };
template <> struct DTypeOf<int64_t> { static constexpr DType value = DType::i64; };
template <> struct DTypeOf<uint8_t> { static constexpr DType value = DType::u8; };
template <> struct DTypeOf<bool> { static constexpr DType value = DType::boolean; };
// clang-format on

struct View {
  TensorType type;
  void* data = nullptr;

  // All elements, row-major. InternalError when T is not the view's element type.
  template <typename T>
  std::span<T> as() const {
    internal_check(DTypeOf<T>::value == type.dtype, "a ", type, " view was read as ",
                   name_of(DTypeOf<T>::value));
    return {static_cast<T*>(data), static_cast<size_t>(type.numel())};
  }
};

struct ConstView {
  TensorType type;
  const void* data = nullptr;

  ConstView() = default;
  ConstView(const TensorType& t, const void* d) : type(t), data(d) {}
  ConstView(const View& view) : type(view.type), data(view.data) {}  // NOLINT: a view is readable

  template <typename T>
  std::span<const T> as() const {
    internal_check(DTypeOf<T>::value == type.dtype, "a ", type, " view was read as ",
                   name_of(DTypeOf<T>::value));
    return {static_cast<const T*>(data), static_cast<size_t>(type.numel())};
  }
};

}  // namespace grimace
