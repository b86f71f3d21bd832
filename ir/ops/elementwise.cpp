#include "ir/ops/elementwise.h"

namespace grimace::ops {
namespace {

bool is_arithmetic(DType dtype) {
  return is_float(dtype) || dtype == DType::i32 || dtype == DType::i64;
}

}  // namespace

DType result_dtype(const Node& n, DType natural) {
  const DType wanted = n.dtype("result");
  if (wanted == DType::f32) return natural;
  n.require(natural == DType::f32 && is_float(wanted) && size_of(wanted) == 2,
            "result must be f32 (as computed), or bf16 or f16 for what is computed in f32; got ",
            wanted, " for ", natural);
  return wanted;
}

Shape broadcast_shape(const Node& n, int first, int last) {
  int rank = 0;
  for (int i = first; i < last; ++i) rank = std::max(rank, n.in(i).shape.rank());
  std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
  for (int i = first; i < last; ++i) {
    const Shape& shape = n.in(i).shape;
    for (int axis = 1; axis <= shape.rank(); ++axis) {
      int64_t& dim = dims[static_cast<size_t>(rank - axis)];
      n.require(dim == 1 || shape[-axis] == 1 || dim == shape[-axis],
                "shapes do not broadcast together: ", n.in(first).shape, " and ", shape);
      if (dim == 1) dim = shape[-axis];
    }
  }
  return Shape(dims);
}

std::vector<TensorType> infer_unary(const Node& n) {
  n.require(is_float(n.in(0).dtype), "input must be a float tensor; got ", n.in(0));
  return {n.in(0)};
}

std::vector<TensorType> infer_binary(const Node& n) {
  n.require(n.in(0).dtype == n.in(1).dtype, "inputs must have one element type; got ", n.in(0),
            " and ", n.in(1));
  n.require(is_arithmetic(n.in(0).dtype), "inputs must be float, i32 or i64 tensors; got ", n.in(0),
            " and ", n.in(1));
  return {{n.in(0).dtype, broadcast_shape(n, 0, 2)}};
}

std::array<int64_t, kMaxRank> broadcast_strides(const Shape& shape, const Shape& out) {
  std::array<int64_t, kMaxRank> result{};
  const auto strides = shape.strides();
  for (int axis = 1; axis <= shape.rank(); ++axis)
    if (shape[-axis] != 1)
      result[static_cast<size_t>(out.rank() - axis)] =
          strides[static_cast<size_t>(shape.rank() - axis)];
  return result;
}

}  // namespace grimace::ops
