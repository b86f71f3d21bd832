// Element types and static shapes. A tensor is dense and row-major, slowest axis first.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grimace {

enum class DType : uint8_t { f32, bf16, f16, f64, i32, i64, u8, boolean };

std::string_view name_of(DType dtype);    // "f32", ..., "bool"
DType dtype_from(std::string_view name);  // Error on an unknown name
int64_t size_of(DType dtype);             // bytes per element
bool is_float(DType dtype);

constexpr int kMaxRank = 8;
constexpr int64_t kMaxElements = int64_t{1} << 40;  // refuses overflow long before it happens

// Up to kMaxRank dimensions, each >= 0. Construction throws Error when the rank or the number
// of elements exceeds its limit, so numel() never overflows.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims)
      : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims);
  explicit Shape(const std::vector<int64_t>& dims) : Shape(std::span<const int64_t>(dims)) {}

  int rank() const { return rank_; }
  int64_t numel() const { return numel_; }
  // Negative axes count from the end, as in NumPy: shape[-1] is the fastest dimension.
  int64_t operator[](int axis) const { return dims_[static_cast<size_t>(normalise(axis))]; }
  int normalise(int axis) const { return axis < 0 ? axis + rank_ : axis; }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
  std::vector<int64_t> to_vector() const { return {dims_.begin(), dims_.begin() + rank_}; }
  // Row-major strides in elements.
  std::array<int64_t, kMaxRank> strides() const;
  bool operator==(const Shape& other) const = default;

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
  int64_t numel_ = 1;
};

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  int64_t numel() const { return shape.numel(); }
  int64_t bytes() const { return shape.numel() * size_of(dtype); }
  bool operator==(const TensorType& other) const = default;
};

std::string to_string(const Shape& shape);      // "8x101x512", "" for a scalar
std::string to_string(const TensorType& type);  // "f32[8x101x512]"
std::ostream& operator<<(std::ostream& out, DType dtype);
std::ostream& operator<<(std::ostream& out, const Shape& shape);
std::ostream& operator<<(std::ostream& out, const TensorType& type);

}  // namespace grimace
