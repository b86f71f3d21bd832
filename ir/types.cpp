#include "ir/types.h"

#include <ostream>

#include "ir/error.h"

namespace grimace {
namespace {

struct DTypeRow {
  std::string_view name;
  int64_t size;
  bool is_float;
};
constexpr std::array<DTypeRow, 8> kRows{{{"f32", 4, true},
                                         {"bf16", 2, true},
                                         {"f16", 2, true},
                                         {"f64", 8, true},
                                         {"i32", 4, false},
                                         {"i64", 8, false},
                                         {"u8", 1, false},
                                         {"bool", 1, false}}};
const DTypeRow& row(DType dtype) {
  return kRows[static_cast<size_t>(dtype)];
}

}  // namespace

std::string_view name_of(DType dtype) {
  return row(dtype).name;
}
int64_t size_of(DType dtype) {
  return row(dtype).size;
}
bool is_float(DType dtype) {
  return row(dtype).is_float;
}

DType dtype_from(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i)
    if (kRows[i].name == name) return static_cast<DType>(i);
  throw Error(
      cat("unknown element type '", name, "'; known are f32, bf16, f16, f64, i32, i64, u8, bool"));
}

Shape::Shape(std::span<const int64_t> dims) {
  check(dims.size() <= kMaxRank, "a shape has at most ", kMaxRank, " dimensions; got ",
        dims.size());
  int64_t product = 1;  // without zeros: no part of the shape may be too large, as for strides
  for (const int64_t dim : dims) {
    check(dim >= 0, "a dimension must not be negative; got ", dim);
    check(dim <= kMaxElements && !__builtin_mul_overflow(product, dim == 0 ? 1 : dim, &product) &&
              product <= kMaxElements,
          "a shape with a dimension of ", dim, " exceeds the limit of 2^40 elements");
    numel_ *= dim;
    dims_[static_cast<size_t>(rank_++)] = dim;
  }
}

std::array<int64_t, kMaxRank> Shape::strides() const {
  std::array<int64_t, kMaxRank> result{};
  int64_t step = 1;
  for (int i = rank_ - 1; i >= 0; --i) {
    result[static_cast<size_t>(i)] = step;
    step *= dims_[static_cast<size_t>(i)];
  }
  return result;
}

std::string to_string(const Shape& shape) {
  return joined(shape.dims(), "x");
}

std::string to_string(const TensorType& type) {
  return cat(name_of(type.dtype), "[", to_string(type.shape), "]");
}

std::ostream& operator<<(std::ostream& out, DType dtype) {
  return out << name_of(dtype);
}
std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  return out << "[" << to_string(shape) << "]";
}
std::ostream& operator<<(std::ostream& out, const TensorType& type) {
  return out << to_string(type);
}

}  // namespace grimace
