// Tensor: an owned, 64-byte aligned, dense host buffer with its type. Copies are deep.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "ir/view.h"

namespace grimace {

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const TensorType& type);  // zero-filled; RunError when memory is short
  Tensor(DType dtype, const Shape& shape) : Tensor(TensorType{dtype, shape}) {}
  Tensor(const Tensor& other);
  Tensor& operator=(const Tensor& other);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;

  template <typename T>
  static Tensor from(const Shape& shape, std::span<const T> values) {
    Tensor result(DTypeOf<T>::value, shape);
    check(values.size() == static_cast<size_t>(shape.numel()), "tensor ", shape, " needs ",
          shape.numel(), " values; got ", values.size());
    std::copy(values.begin(), values.end(), result.as<T>().begin());
    return result;
  }

  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  DType dtype() const { return type_.dtype; }
  int64_t numel() const { return type_.numel(); }
  int64_t bytes() const { return type_.bytes(); }
  bool empty() const { return data_ == nullptr; }
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  View view() { return {type_, data_.get()}; }
  ConstView view() const { return {type_, data_.get()}; }
  // The elements, for as long as the tensor lives: never loop over those of a temporary.
  template <typename T>
  std::span<T> as() {
    return view().as<T>();
  }
  template <typename T>
  std::span<const T> as() const {
    return view().as<T>();
  }

  // The same values under another shape of as many elements.
  Tensor reshaped(const Shape& shape) &&;
  // The same values in another element type: floats round to nearest even, integers truncate.
  Tensor cast(DType dtype) const;

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  TensorType type_;
  std::unique_ptr<std::byte[], Free> data_;
};

// Element-wise conversion between any two element types; sizes must agree.
void convert(ConstView from, View to);

}  // namespace grimace
