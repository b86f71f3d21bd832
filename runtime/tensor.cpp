#include "runtime/tensor.h"

#include <cstdlib>
#include <cstring>

namespace grimace {
namespace {

template <typename Visit>
void with_type(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::f32:
      return visit(float{});
    case DType::bf16:
      return visit(bf16{});
    case DType::f16:
      return visit(f16{});
    case DType::f64:
      return visit(double{});
    case DType::i32:
      return visit(int32_t{});
    case DType::i64:
      return visit(int64_t{});
    case DType::u8:
      return visit(uint8_t{});
    case DType::boolean:
      return visit(bool{});
  }
}

template <typename To, typename From>
To convert_one(From value) {
  if constexpr (std::is_same_v<From, bf16> || std::is_same_v<From, f16>)
    return convert_one<To>(static_cast<float>(value));
  else if constexpr (std::is_same_v<To, bf16> || std::is_same_v<To, f16>)
    return To(static_cast<float>(value));
  else
    return static_cast<To>(value);
}

}  // namespace

void convert(ConstView from, View to) {
  internal_check(from.type.numel() == to.type.numel(), "convert ", from.type, " to ", to.type);
  if (from.type.numel() == 0) return;  // data may be null, which memcpy does not allow
  if (from.type.dtype == to.type.dtype) {
    std::memcpy(to.data, from.data, static_cast<size_t>(from.type.bytes()));
    return;
  }
  with_type(from.type.dtype, [&](auto source) {
    with_type(to.type.dtype, [&](auto target) {
      const auto in = from.as<decltype(source)>();
      const auto out = to.as<decltype(target)>();
      for (size_t i = 0; i < in.size(); ++i) out[i] = convert_one<decltype(target)>(in[i]);
    });
  });
}

void Tensor::Free::operator()(std::byte* p) const {
  std::free(p);
}

Tensor::Tensor(const TensorType& type) : type_(type) {
  const auto bytes = (static_cast<size_t>(type.bytes()) + 127) / 64 * 64;
  auto* p = static_cast<std::byte*>(std::aligned_alloc(64, bytes));
  if (p == nullptr)
    throw RunError(cat("out of memory: a tensor ", type, " needs ", bytes, " bytes"));
  std::memset(p, 0, bytes);
  data_.reset(p);
}

Tensor::Tensor(const Tensor& other) : Tensor() {
  *this = other;
}

Tensor& Tensor::operator=(const Tensor& other) {
  if (this == &other) return *this;
  if (other.empty()) {
    type_ = other.type_;
    data_.reset();
    return *this;
  }
  Tensor copy(other.type_);
  std::memcpy(copy.data(), other.data(), static_cast<size_t>(other.bytes()));
  *this = std::move(copy);
  return *this;
}

Tensor Tensor::reshaped(const Shape& shape) && {
  internal_check(shape.numel() == numel(), "reshaped ", type_, " to ", shape);
  type_.shape = shape;
  return std::move(*this);
}

Tensor Tensor::cast(DType dtype) const {
  Tensor result(dtype, shape());
  convert(view(), result.view());
  return result;
}

}  // namespace grimace
