#include "ir/builder.h"

#include <cmath>

#include "ir/op_def.h"

namespace grimace {

Value Builder::constant(std::string name, const Shape& shape, std::span<const float> values) {
  return graph_.add_constant(std::move(name), {DType::f32, shape}, std::as_bytes(values));
}

Value Builder::emit(const OpDef& op, std::vector<Value> inputs, std::vector<NamedAttr> attrs,
                    std::string name) {
  return graph_.add_node(op, std::move(inputs), attrs, std::move(name)).result();
}

std::vector<Value> Builder::emit_all(const OpDef& op, std::vector<Value> inputs,
                                     std::vector<NamedAttr> attrs, std::string name) {
  const Node& node = graph_.add_node(op, std::move(inputs), attrs, std::move(name));
  std::vector<Value> results;
  for (int i = 0; i < node.num_results(); ++i) results.push_back(node.result(i));
  return results;
}

Value Builder::add(Value a, Value b) {
  return emit(op_add, {a, b});
}
Value Builder::sub(Value a, Value b) {
  return emit(op_sub, {a, b});
}
Value Builder::mul(Value a, Value b) {
  return emit(op_mul, {a, b});
}
Value Builder::div(Value a, Value b) {
  return emit(op_div, {a, b});
}
Value Builder::maximum(Value a, Value b) {
  return emit(op_maximum, {a, b});
}
Value Builder::minimum(Value a, Value b) {
  return emit(op_minimum, {a, b});
}
Value Builder::less(Value a, Value b) {
  return emit(op_less, {a, b});
}
Value Builder::select(Value condition, Value if_true, Value if_false) {
  return emit(op_select, {condition, if_true, if_false});
}
Value Builder::neg(Value x) {
  return emit(op_neg, {x});
}
Value Builder::exp(Value x) {
  return emit(op_exp, {x});
}
Value Builder::log(Value x) {
  return emit(op_log, {x});
}
Value Builder::sqrt(Value x) {
  return emit(op_sqrt, {x});
}
Value Builder::rsqrt(Value x) {
  return emit(op_rsqrt, {x});
}
Value Builder::erf(Value x) {
  return emit(op_erf, {x});
}
Value Builder::floor(Value x) {
  return emit(op_floor, {x});
}
Value Builder::gelu(Value x) {
  return emit(op_gelu, {x});
}
Value Builder::is_finite(Value x) {
  return emit(op_is_finite, {x});
}
Value Builder::cast(Value x, DType dtype) {
  return x.dtype() == dtype ? x : emit(op_cast, {x}, {{"to", dtype}});
}

Value Builder::matmul(Value a, Value b, bool transpose_a, bool transpose_b) {
  return emit(op_matmul, {a, b}, {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}});
}

Value Builder::linear(Value x, Value weight, Value bias, std::string name) {
  std::vector<Value> inputs{x, weight};
  if (bias) inputs.push_back(bias);
  return emit(op_linear, std::move(inputs), {{"bias", static_cast<bool>(bias)}}, std::move(name));
}

namespace {

std::vector<int64_t> normalised(Value x, std::vector<int64_t> axes) {
  for (int64_t& axis : axes)
    if (axis < 0) axis += x.shape().rank();
  return axes;
}

}  // namespace

Value Builder::reduce_sum(Value x, std::vector<int64_t> axes, bool keep) {
  return emit(op_reduce_sum, {x}, {{"axes", normalised(x, std::move(axes))}, {"keep", keep}});
}

Value Builder::reduce_mean(Value x, std::vector<int64_t> axes, bool keep) {
  const Value sum = reduce_sum(x, std::move(axes), keep);
  return sum * (static_cast<double>(sum.type().numel()) / static_cast<double>(x.type().numel()));
}

Value Builder::reshape(Value x, const std::vector<int64_t>& shape) {
  std::vector<int64_t> dims = shape;
  for (int64_t& dim : dims) {
    if (dim != -1) continue;
    int64_t known = 1;
    for (const int64_t other : shape) known *= other == -1 ? 1 : other;
    dim = known == 0 ? 0 : x.type().numel() / known;
  }
  return x.shape() == Shape(dims) ? x : emit(op_reshape, {x}, {{"shape", dims}});
}

Value Builder::transpose(Value x, std::vector<int64_t> permutation) {
  return emit(op_transpose, {x}, {{"permutation", std::move(permutation)}});
}

Value Builder::broadcast(Value x, const Shape& shape) {
  return x.shape() == shape ? x : emit(op_broadcast, {x}, {{"shape", shape.to_vector()}});
}

Value Builder::slice(Value x, int64_t axis, int64_t begin, int64_t end) {
  axis = x.shape().normalise(static_cast<int>(axis));
  return emit(op_slice, {x}, {{"axis", axis}, {"begin", begin}, {"end", end}});
}

Value Builder::pad(Value x, int64_t axis, int64_t before, int64_t after) {
  axis = x.shape().normalise(static_cast<int>(axis));
  return emit(op_pad, {x}, {{"axis", axis}, {"before", before}, {"after", after}});
}

Value Builder::concat(std::vector<Value> parts, int64_t axis) {
  if (parts.size() == 1) return parts[0];
  if (!parts.empty()) axis = parts[0].shape().normalise(static_cast<int>(axis));
  return emit(op_concat, std::move(parts), {{"axis", axis}});
}

Value Builder::gather_rows(Value x, Value index) {
  return emit(op_gather_rows, {x, index});
}

Value Builder::scatter_rows(Value x, Value index, int64_t rows, bool shared) {
  return emit(op_scatter_rows, {x, index}, {{"rows", rows}, {"shared", shared}});
}

Value Builder::mask_indices(Value mask, int64_t value, int64_t count) {
  return emit(op_mask_indices, {mask}, {{"value", value}, {"count", count}});
}

Value Builder::one_hot(Value labels, int64_t classes, DType dtype) {
  return emit(op_one_hot, {labels}, {{"classes", classes}, {"dtype", dtype}});
}

Value Builder::full(double value, const Shape& shape, DType dtype) {
  return emit(op_full, {}, {{"value", value}, {"shape", shape.to_vector()}, {"dtype", dtype}});
}

Value Builder::position_table(int64_t rows, int64_t dim, DType dtype) {
  return emit(op_position_table, {}, {{"rows", rows}, {"dim", dim}, {"dtype", dtype}});
}

Value Builder::random_uniform(Value seed, Value step, int64_t site, const Shape& shape,
                              DType dtype) {
  return emit(op_random_uniform, {seed, step},
              {{"site", site}, {"shape", shape.to_vector()}, {"dtype", dtype}});
}

Value Builder::softmax(Value x) {
  return emit(op_softmax, {x});
}

Value Builder::layer_norm(Value x, Value weight, Value bias, double eps, std::string name) {
  return emit(op_layer_norm, {x, weight, bias}, {{"eps", eps}}, std::move(name));
}

Value Builder::cross_entropy(Value logits, Value target) {
  return emit(op_cross_entropy, {logits, target});
}

Value Builder::sum_to(Value x, const Shape& shape) {
  if (x.shape() == shape) return x;
  std::vector<int64_t> axes;
  const int extra = x.shape().rank() - shape.rank();
  for (int axis = 0; axis < x.shape().rank(); ++axis)
    if (axis < extra || (shape[axis - extra] == 1 && x.dim(axis) != 1)) axes.push_back(axis);
  const Value sum = axes.empty() ? x : reduce_sum(x, axes);
  return reshape(sum, shape.to_vector());
}

namespace {

Value scalar_like(Value x, double value) {
  return Builder(x.graph()).full(value, {}, x.dtype());
}

}  // namespace

Value operator+(Value a, Value b) {
  return Builder(a.graph()).add(a, b);
}
Value operator-(Value a, Value b) {
  return Builder(a.graph()).sub(a, b);
}
Value operator*(Value a, Value b) {
  return Builder(a.graph()).mul(a, b);
}
Value operator/(Value a, Value b) {
  return Builder(a.graph()).div(a, b);
}
Value operator+(Value a, double b) {
  return a + scalar_like(a, b);
}
Value operator-(Value a, double b) {
  return a - scalar_like(a, b);
}
Value operator-(double a, Value b) {
  return scalar_like(b, a) - b;
}
Value operator*(Value a, double b) {
  return a * scalar_like(a, b);
}
Value operator/(Value a, double b) {
  return a / scalar_like(a, b);
}

}  // namespace grimace
