// Builder: adds nodes to a graph in the notation of the formulas. Every method infers the result
// type and throws Error with the op, the name and the shapes when the arguments do not fit.
//
//   Builder b(graph);
//   Value x = b.input("x", {DType::f32, {8, 101, 512}});
//   Value h = b.gelu(b.linear(x, b.param("fc1.weight", {2048, 512}), b.param("fc1.bias", {2048})));
//   b.output("y", x + b.linear(h, w2, b2));
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace grimace {

class Builder {
 public:
  explicit Builder(Graph& graph) : graph_(graph) {}
  Graph& graph() const { return graph_; }

  // Graph inputs and outputs.
  Value input(std::string name, const TensorType& type) {
    return graph_.add_input(Role::input, std::move(name), type);
  }
  Value param(std::string name, const Shape& shape, DType dtype = DType::f32) {
    return graph_.add_input(Role::param, std::move(name), {dtype, shape});
  }
  Value state(std::string name, const TensorType& type) {
    return graph_.add_input(Role::state, std::move(name), type);
  }
  Value constant(std::string name, const Shape& shape, std::span<const float> values);
  void output(std::string name, Value value) { graph_.add_output(std::move(name), value); }
  void update(Value target, Value value) { graph_.add_update(target, value); }

  // Any op by its definition: the first result, or all of them.
  Value emit(const OpDef& op, std::vector<Value> inputs, std::vector<NamedAttr> attrs = {},
             std::string name = {});
  std::vector<Value> emit_all(const OpDef& op, std::vector<Value> inputs,
                              std::vector<NamedAttr> attrs = {}, std::string name = {});

  // Elementwise, with NumPy broadcasting.
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value maximum(Value a, Value b);
  Value minimum(Value a, Value b);
  Value less(Value a, Value b);  // bool
  Value select(Value condition, Value if_true, Value if_false);
  Value neg(Value x);
  Value exp(Value x);
  Value log(Value x);
  Value sqrt(Value x);
  Value rsqrt(Value x);
  Value erf(Value x);
  Value floor(Value x);
  Value gelu(Value x);       // x * 0.5 * (1 + erf(x / sqrt 2))
  Value is_finite(Value x);  // bool
  Value cast(Value x, DType dtype);

  // Products. matmul: [..., m, k] x [..., k, n]; b may be a matrix shared by the batch.
  Value matmul(Value a, Value b, bool transpose_a = false, bool transpose_b = false);
  Value linear(Value x, Value weight, Value bias = {}, std::string name = {});  // x W^T + b

  // Reductions over `axes` (negative ones count from the end).
  Value reduce_sum(Value x, std::vector<int64_t> axes, bool keep = false);
  Value reduce_mean(Value x, std::vector<int64_t> axes, bool keep = false);

  // Shape and order.
  Value reshape(Value x, const std::vector<int64_t>& shape);  // one dimension may be -1
  Value transpose(Value x, std::vector<int64_t> permutation);
  Value broadcast(Value x, const Shape& shape);
  Value slice(Value x, int64_t axis, int64_t begin, int64_t end);
  Value pad(Value x, int64_t axis, int64_t before, int64_t after);  // with zeros
  Value concat(std::vector<Value> parts, int64_t axis);

  // Tokens. gather_rows: x [B,R,C] or [R,C] with index i32 [B,K] -> [B,K,C].
  Value gather_rows(Value x, Value index);
  // Adds rows [B,K,C] to zeros at index: [B,rows,C], or [rows,C] summed over B when `shared`.
  Value scatter_rows(Value x, Value index, int64_t rows, bool shared = false);
  // Where mask u8 [B,N] equals `value`: indices i32 [B,count] in rising order.
  Value mask_indices(Value mask, int64_t value, int64_t count);
  Value one_hot(Value labels, int64_t classes, DType dtype = DType::f32);

  // Sources. position_table: the sine/cosine table of spec 2.3.
  Value full(double value, const Shape& shape = {}, DType dtype = DType::f32);
  Value zeros_like(Value x) { return full(0.0, x.shape(), x.dtype()); }
  Value position_table(int64_t rows, int64_t dim, DType dtype = DType::f32);
  Value random_uniform(Value seed, Value step, int64_t site, const Shape& shape,
                       DType dtype = DType::f32);

  // Layers.
  Value softmax(Value x);  // over the last axis
  Value layer_norm(Value x, Value weight, Value bias, double eps, std::string name = {});
  // -sum_c target_c log softmax(logits)_c per row: [B,C] x [B,C] -> [B].
  Value cross_entropy(Value logits, Value target);

  // x summed over whatever broadcasting added, back to `shape`: the gradient of a broadcast.
  Value sum_to(Value x, const Shape& shape);

 private:
  Graph& graph_;
};

// Extends the current scope ("encoder" -> "encoder/blocks.3") for as long as it lives.
class Scope {
 public:
  Scope(Builder& b, const std::string& name) : graph_(b.graph()), saved_(graph_.scope) {
    graph_.scope = saved_.empty() ? name : saved_ + "/" + name;
  }
  ~Scope() { graph_.scope = saved_; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Graph& graph_;
  std::string saved_;
};

// Arithmetic on values, and of values with numbers (a scalar of the value's own type).
Value operator+(Value a, Value b);
Value operator-(Value a, Value b);
Value operator*(Value a, Value b);
Value operator/(Value a, Value b);
Value operator+(Value a, double b);
Value operator-(Value a, double b);
Value operator-(double a, Value b);
Value operator*(Value a, double b);
Value operator/(Value a, double b);
inline Value operator*(double a, Value b) {
  return b * a;
}
inline Value operator+(double a, Value b) {
  return b + a;
}

}  // namespace grimace
