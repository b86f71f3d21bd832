// Shapes are those that `grimace graph print --train --batch-size 8 --after all` shows: the encoder
// sees 640 visible tokens, and 704 with the representatives; the decoder has 6400 tokens, of which
// 5760 are predicted.
#include "bench/op_table.h"

namespace grimace::bench {
namespace {

using testing::InputSpec;
using testing::OpCase;
using testing::Tolerance;

constexpr Tolerance kExact{0.0, "elements are moved, or rounded once to a coarser type"};
constexpr Tolerance kFunction{1e-6, "a function of one element: a few roundings"};
constexpr Tolerance kSum{2e-5, "f32 sums of up to 10^6 terms, in another order than the reference"};

InputSpec spec(const Shape& shape, DType dtype = DType::f32, double low = -1.0, double high = 1.0) {
  return {{dtype, shape}, low, high};
}

class Table {
 public:
  void add(const std::string& variant, const std::string& shape, OpCase op_case) {
    rows_.push_back(
        {cat("op/", op_case.op->name, variant, "/", shape, "/", op_case.inputs[0].type.dtype),
         std::move(op_case)});
  }
  // With the shape of its first input as name.
  void add(OpCase op_case, const std::string& variant = "") {
    const std::string shape = to_string(op_case.inputs[0].type.shape);
    add(variant, shape, std::move(op_case));
  }
  std::vector<OpRow> take() { return std::move(rows_); }

 private:
  std::vector<OpRow> rows_;
};

void matmul(Table& table, int64_t batch, int64_t m, int64_t k, int64_t n, DType dtype,
            bool transpose_a, bool transpose_b) {
  const auto matrix = [&](int64_t rows, int64_t cols, bool transposed) {
    const Shape one = transposed ? Shape{cols, rows} : Shape{rows, cols};
    return spec(batch == 1 ? one : Shape{batch, one[0], one[1]}, dtype);
  };
  table.add(cat(transpose_a ? ".ta" : "", transpose_b ? ".tb" : ""),
            to_string(batch == 1 ? Shape{m, k, n} : Shape{batch, m, k, n}),
            {&op_matmul,
             {matrix(m, k, transpose_a), matrix(k, n, transpose_b)},
             {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}},
             kSum});
}

// A linear layer, the gradient of its input and the gradient of its weight.
void linear(Table& table, int64_t rows, int64_t in, int64_t out, DType dtype) {
  table.add("", to_string(Shape{rows, in, out}),
            {&op_linear,
             {spec({rows, in}, dtype), spec({out, in}, dtype), spec({out})},
             {{"bias", true}},
             kSum});
  matmul(table, 1, rows, out, in, dtype, false, false);
  matmul(table, 1, out, rows, in, dtype, true, false);
}

void products(Table& table, DType dtype) {
  struct Layer {
    int64_t rows, in, out;
  };
  constexpr Layer kLayers[] = {
      {704, 512, 512},   {704, 512, 1024}, {704, 512, 2048},  {704, 2048, 512},  // encoder
      {640, 512, 512},                                                           // encoder, stage 3
      {6400, 384, 1152}, {6400, 384, 384}, {6400, 384, 1536}, {6400, 1536, 384},  // decoder
      {5760, 384, 1536},                                                          // prediction
  };
  for (const Layer& layer : kLayers) linear(table, layer.rows, layer.in, layer.out, dtype);
  for (const auto& [batch, seq] : {std::pair<int64_t, int64_t>{48, 800}, {512, 11}}) {
    matmul(table, batch, seq, 64, seq, dtype, false, true);   // scores
    matmul(table, batch, seq, seq, 64, dtype, false, false);  // their mix of values
    matmul(table, batch, seq, seq, 64, dtype, true, false);   // gradients of keys and values
  }
}

void rows_and_elements(Table& table) {
  for (const Shape& scores : {Shape{48, 800, 800}, Shape{512, 11, 11}}) {
    table.add({&op_softmax, {spec(scores)}, {}, kSum});
    table.add({&op_softmax_grad, {spec(scores), spec(scores)}, {}, kSum});
  }
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{6400, 384}, {704, 512}}) {
    const InputSpec x = spec({rows, cols});
    const InputSpec vector = spec({cols});
    const InputSpec statistic = spec({rows});
    table.add({&op_layer_norm, {x, vector, vector}, {{"eps", 1e-6}}, kFunction});
    table.add({&op_layer_norm_grad, {x, x, vector, statistic, statistic}, {}, kSum});
  }
  for (const Shape& hidden : {Shape{6400, 1536}, Shape{704, 2048}}) {
    const InputSpec x = spec(hidden);
    table.add({&op_gelu, {x}, {}, kFunction});
    table.add({&op_gelu_grad, {x, x}, {}, kFunction});
    table.add({&op_reduce_sum, {x}, {{"axes", std::vector<int64_t>{0}}, {"keep", false}}, kSum});
    table.add({&op_cast, {x}, {{"to", DType::bf16}}, kExact}, ".bf16");
  }
  const InputSpec tokens = spec({6400, 384});
  table.add({&op_add, {tokens, tokens}, {}, kFunction});
}

void optimizer(Table& table) {
  const InputSpec p = spec({1024, 1024});
  const InputSpec v = spec({1024, 1024}, DType::f32, 0.01, 1.0);
  const auto scalar = [](double value) { return spec({}, DType::f32, value, value); };
  table.add({&op_adamw,
             {p, p, v, p, scalar(1e-3), scalar(0.05), scalar(1.0), spec({}, DType::i64, 7, 7),
              spec({}, DType::boolean, 1, 1)},
             {{"beta1", 0.9}, {"beta2", 0.95}},
             kFunction});
}

void moves(Table& table) {
  constexpr auto kLast = 800.0;
  table.add(
      {&op_gather_rows, {spec({8, 800, 1536}), spec({8, 720}, DType::i32, 0, kLast)}, {}, kExact});
  table.add({&op_scatter_rows,
             {spec({8, 720, 1536}), spec({8, 720}, DType::i32, 0, kLast)},
             {{"rows", 800}},
             kFunction});
  const std::pair<Shape, std::vector<int64_t>> transposes[] = {
      {{8, 800, 3, 6, 64}, {2, 0, 3, 1, 4}},                     // q, k, v by head
      {{3, 8, 6, 800, 64}, {1, 3, 0, 2, 4}},                     // and back, in the backward pass
      {{8, 6, 800, 64}, {0, 2, 1, 3}},                           // heads side by side
      {{64, 11, 2, 8, 64}, {2, 0, 3, 1, 4}},                     // the same in the encoder
      {{8, 3, 8, 2, 10, 16, 10, 16}, {0, 2, 4, 6, 1, 3, 5, 7}},  // video into cubes
      {{8, 3, 8, 2, 10, 16, 10, 16}, {0, 2, 4, 6, 3, 5, 7, 1}},  // and into targets
  };
  for (const auto& [shape, permutation] : transposes) {
    std::string order = ".";
    for (const int64_t axis : permutation) order += std::to_string(axis);
    table.add({&op_transpose, {spec(shape)}, {{"permutation", permutation}}, kExact}, order);
  }
}

}  // namespace

std::vector<OpRow> op_table() {
  Table table;
  products(table, DType::f32);
  products(table, DType::bf16);
  rows_and_elements(table);
  optimizer(table);
  moves(table);
  return table.take();
}

}  // namespace grimace::bench
