// The table behind op_cases(). A row: the op, its inputs, its attributes, how exact f32 must be.
#include "tests/op_cases.h"

namespace grimace::testing {
namespace {

using Dims = std::initializer_list<int64_t>;
using Ints = std::vector<int64_t>;
using Cases = std::vector<OpCase>;

constexpr Tolerance kExact{0.0, "elements are moved, compared or rounded once to a coarser type"};
constexpr Tolerance kRounding{1e-7, "one rounding per element"};
constexpr Tolerance kFunction{1e-6, "a function of one element: a few roundings"};
constexpr Tolerance kSum{4e-6, "sums of up to 100 terms"};
constexpr Tolerance kAttention{kSum.value, "sums; in 16 bits the weights are rounded too", 4e-3};

InputSpec real(const Shape& shape, double low = -2.0, double high = 2.0) {
  return {{DType::f32, shape}, low, high};
}
InputSpec positive(const Shape& shape) {
  return real(shape, 0.25, 2.25);
}
InputSpec typed(DType dtype, const Shape& shape) {
  return {{dtype, shape}};
}
InputSpec whole(DType dtype, const Shape& shape, double low, double high) {
  return {{dtype, shape}, low, high};
}
InputSpec rows(const Shape& shape, int64_t count) {
  return {{DType::i32, shape}, 0.0, static_cast<double>(count)};
}
InputSpec bools(const Shape& shape) {
  return {{DType::boolean, shape}};
}
InputSpec mask(const Shape& shape, int64_t ones) {
  return {{DType::u8, shape}, 0, 2, ones};
}
InputSpec no_gradient(InputSpec spec) {
  spec.differentiable = false;
  return spec;
}

void unary(Cases& cases) {
  struct Row {
    const OpDef* op;
    bool positive;
    Tolerance tolerance;
  };
  const Row table[] = {
      {&op_neg, false, kExact},    {&op_floor, false, kExact},   {&op_is_finite, false, kExact},
      {&op_exp, false, kFunction}, {&op_erf, false, kFunction},  {&op_gelu, false, kFunction},
      {&op_sqrt, true, kFunction}, {&op_rsqrt, true, kFunction}, {&op_log, true, kFunction},
  };
  const Shape shapes[] = {{}, {1}, {7}, {2, 3}, {3, 1, 5}, {0, 4}, {2, 1, 3, 2, 2}, {13, 67}};
  for (const Row& row : table)
    for (const Shape& shape : shapes)
      cases.push_back({row.op, {row.positive ? positive(shape) : real(shape)}, {}, row.tolerance});
  for (const Shape& shape : shapes)
    cases.push_back({&op_gelu_grad, {real(shape), real(shape)}, {}, kFunction});
}

void binary(Cases& cases) {
  const std::pair<Shape, Shape> shapes[] = {
      {{}, {}},
      {{1}, {1}},
      {{2, 3}, {2, 3}},
      {{2, 3}, {3}},
      {{5}, {}},
      {{4, 1, 3}, {2, 1}},
      {{0, 3}, {1, 3}},
      {{2, 1, 3, 1, 2}, {3, 5, 1}},
      {{3, 37}, {37}},
      {{2, 5, 9}, {5, 9}},
      {{1, 4}, {3, 2, 1}},
      {{9, 33}, {9, 1}},
      {{9, 1}, {1, 33}},
      {{2, 1, 5, 1}, {1, 3, 1, 7}},
      {{3, 0}, {3, 1}},
  };
  for (const auto& [a, b] : shapes) {
    cases.push_back({&op_add, {real(a), real(b)}, {}, kRounding});
    cases.push_back({&op_sub, {real(a), real(b)}, {}, kRounding});
    cases.push_back({&op_mul, {real(a), real(b)}, {}, kRounding});
    cases.push_back({&op_div, {real(a), positive(b)}, {}, kRounding});
    cases.push_back({&op_maximum, {real(a), real(b)}, {}, kExact});
    cases.push_back({&op_minimum, {real(a), real(b)}, {}, kExact});
    cases.push_back({&op_less, {real(a), real(b)}, {}, kExact});
    cases.push_back({&op_logical_and, {bools(a), bools(b)}, {}, kExact});
    cases.push_back({&op_select, {bools(b), real(a), real(a)}, {}, kExact});
  }
  for (const OpDef* op : {&op_add, &op_sub, &op_mul, &op_maximum, &op_minimum, &op_less})
    for (const DType dtype : {DType::i32, DType::i64})
      cases.push_back({op, {whole(dtype, {2, 3}, -9, 9), whole(dtype, {3}, -9, 9)}, {}, kExact});
  cases.push_back({&op_select, {bools({2, 1}), real({3}), real({2, 3})}, {}, kExact});
  for (const DType dtype : {DType::i64, DType::u8, DType::boolean})
    cases.push_back(
        {&op_select, {bools({}), whole(dtype, {4}, 0, 9), whole(dtype, {4}, 0, 9)}, {}, kExact});
}

void casts(Cases& cases) {
  for (const DType to :
       {DType::f32, DType::bf16, DType::f16, DType::i32, DType::i64, DType::boolean})
    cases.push_back({&op_cast, {real({3, 5}, -9, 9)}, {{"to", to}}, kExact});
  for (const DType from :
       {DType::bf16, DType::f16, DType::i32, DType::i64, DType::u8, DType::boolean})
    cases.push_back({&op_cast, {whole(from, {2, 7}, 0, 9)}, {{"to", DType::f32}}, kExact});
  cases.push_back({&op_cast, {real({0})}, {{"to", DType::f32}}, kExact});
}

void products(Cases& cases) {
  const auto matmul = [&](const Shape& a, const Shape& b, bool ta, bool tb) {
    cases.push_back(
        {&op_matmul, {real(a), real(b)}, {{"transpose_a", ta}, {"transpose_b", tb}}, kSum});
  };
  matmul({1, 1}, {1, 1}, false, false);
  matmul({3, 5}, {5, 7}, false, false);
  matmul({5, 3}, {5, 7}, true, false);
  matmul({3, 5}, {7, 5}, false, true);
  matmul({5, 3}, {7, 5}, true, true);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      matmul(ta ? Shape{2, 4, 3} : Shape{2, 3, 4}, tb ? Shape{2, 5, 4} : Shape{2, 4, 5}, ta, tb);
      matmul(ta ? Shape{2, 4, 3} : Shape{2, 3, 4}, tb ? Shape{5, 4} : Shape{4, 5}, ta, tb);
    }
  matmul({2, 3, 2, 1, 4}, {2, 3, 2, 4, 1}, false, false);
  matmul({0, 3, 4}, {0, 4, 5}, false, false);
  matmul({2, 0}, {0, 3}, false, false);
  matmul({2, 3, 17, 64}, {2, 3, 33, 64}, false, true);
  cases.push_back(
      {&op_matmul, {typed(DType::bf16, {2, 3, 4}), typed(DType::bf16, {4, 5})}, {}, kSum});

  struct Linear {
    Shape x;
    int64_t out;
  };
  for (const Linear& l : {Linear{{1, 1}, 1},
                          {{4, 3}, 5},
                          {{2, 5, 7}, 3},
                          {{2, 1, 3, 4}, 6},
                          {{0, 3}, 2},
                          {{3, 11, 64}, 48}}) {
    std::vector<int64_t> dims = l.x.to_vector();
    dims.back() = l.out;
    const InputSpec x = real(l.x), w = real({l.out, l.x[-1]}), bias = real({l.out}),
                    residual = real(Shape(dims));
    cases.push_back({&op_linear, {x, w}, {}, kSum});
    cases.push_back({&op_linear, {x, w, bias}, {{"bias", true}}, kSum});
    cases.push_back({&op_linear, {x, w}, {{"epilogue", "gelu"}}, kSum});
    cases.push_back({&op_linear, {x, w, bias}, {{"bias", true}, {"epilogue", "gelu"}}, kSum});
    cases.push_back({&op_linear, {x, w, residual}, {{"epilogue", "add"}}, kSum});
    cases.push_back(
        {&op_linear, {x, w, bias, residual}, {{"bias", true}, {"epilogue", "add"}}, kSum});
  }
  cases.push_back({&op_linear,
                   {typed(DType::bf16, {2, 3, 8}), typed(DType::bf16, {5, 8}), real({5})},
                   {{"bias", true}},
                   kSum});
}

void reductions(Cases& cases) {
  const auto sum = [&](const Shape& x, Ints axes, bool keep) {
    cases.push_back({&op_reduce_sum, {real(x)}, {{"axes", std::move(axes)}, {"keep", keep}}, kSum});
  };
  sum({}, {}, false);
  sum({1}, {0}, false);
  sum({7}, {0}, true);
  sum({2, 3}, {0}, false);
  sum({2, 3}, {1}, true);
  sum({2, 3, 5}, {0, 2}, false);
  sum({2, 3, 5}, {2, 1}, true);
  sum({2, 3, 1, 2, 3}, {1, 3}, false);
  sum({0, 3}, {0}, false);
  sum({4, 0}, {1}, false);
  sum({8, 3}, {}, false);
  sum({6, 97}, {1}, false);
  sum({97, 6}, {0}, false);
}

void layout(Cases& cases) {
  const auto add = [&](const OpDef& op, std::vector<Shape> shapes, std::vector<NamedAttr> attrs) {
    OpCase op_case{&op, {}, std::move(attrs), kExact};
    for (const Shape& shape : shapes) op_case.inputs.push_back(real(shape));
    cases.push_back(std::move(op_case));
  };
  add(op_reshape, {{}}, {{"shape", Ints{1, 1}}});
  add(op_reshape, {{2, 3}}, {{"shape", Ints{3, 2}}});
  add(op_reshape, {{0, 4}}, {{"shape", Ints{2, 0}}});
  add(op_transpose, {{}}, {{"permutation", Ints{}}});
  add(op_transpose, {{2, 3}}, {{"permutation", Ints{1, 0}}});
  add(op_transpose, {{2, 3, 5}}, {{"permutation", Ints{2, 0, 1}}});
  add(op_transpose, {{2, 5, 3, 4}}, {{"permutation", Ints{0, 2, 1, 3}}});
  add(op_transpose, {{2, 1, 3, 2, 3}}, {{"permutation", Ints{4, 0, 3, 2, 1}}});
  add(op_transpose, {{2, 0, 3}}, {{"permutation", Ints{1, 0, 2}}});
  add(op_broadcast, {{}}, {{"shape", Ints{2, 3}}});
  add(op_broadcast, {{1, 3}}, {{"shape", Ints{2, 2, 3}}});
  add(op_broadcast, {{2, 1, 3, 1}}, {{"shape", Ints{2, 5, 3, 2}}});
  add(op_broadcast, {{1}}, {{"shape", Ints{0}}});
  add(op_slice, {{7}}, {{"axis", 0}, {"begin", 2}, {"end", 5}});
  add(op_slice, {{3, 4, 5}}, {{"axis", 1}, {"begin", 0}, {"end", 4}});
  add(op_slice, {{3, 4, 5}}, {{"axis", 1}, {"begin", 3}, {"end", 4}});
  add(op_slice, {{3, 4, 5}}, {{"axis", 2}, {"begin", 2}, {"end", 2}});
  add(op_pad, {{3}}, {{"axis", 0}, {"before", 1}, {"after", 2}});
  add(op_pad, {{2, 3, 4}}, {{"axis", 1}, {"after", 1}});
  add(op_pad, {{2, 0}}, {{"axis", 1}, {"before", 2}});
  add(op_concat, {{3}}, {{"axis", 0}});
  add(op_concat, {{2, 3}, {1, 3}}, {{"axis", 0}});
  add(op_concat, {{2, 3, 2}, {2, 1, 2}, {2, 0, 2}, {2, 4, 2}}, {{"axis", 1}});
  add(op_concat, {{2, 3}, {2, 5}}, {{"axis", 1}});
  for (const DType dtype : {DType::bf16, DType::i64, DType::u8})
    cases.push_back(
        {&op_transpose, {whole(dtype, {3, 2}, 0, 9)}, {{"permutation", Ints{1, 0}}}, kExact});
}

void tokens(Cases& cases) {
  cases.push_back({&op_gather_rows, {real({2, 5, 3}), rows({2, 4}, 5)}, {}, kExact});
  cases.push_back({&op_gather_rows, {real({5, 3}), rows({2, 4}, 5)}, {}, kExact});
  cases.push_back({&op_gather_rows, {real({1, 1, 1}), rows({1, 1}, 1)}, {}, kExact});
  cases.push_back({&op_gather_rows, {real({2, 5, 3}), rows({2, 0}, 5)}, {}, kExact});
  cases.push_back({&op_gather_rows, {real({3, 50, 16}), rows({3, 20}, 50)}, {}, kExact});
  for (const bool shared : {false, true}) {
    const auto scatter = [&](const Shape& x, int64_t n) {
      cases.push_back({&op_scatter_rows,
                       {real(x), rows({x[0], x[1]}, n)},
                       {{"rows", n}, {"shared", shared}},
                       kSum});
    };
    scatter({2, 4, 3}, 5);
    scatter({1, 1, 1}, 1);
    scatter({2, 9, 1}, 2);
    scatter({2, 0, 3}, 4);
  }
  for (const auto& [batch, length, ones] :
       {std::array<int64_t, 3>{2, 10, 3}, {1, 1, 1}, {3, 7, 0}, {2, 800, 720}}) {
    const InputSpec m = mask({batch, length}, ones);
    cases.push_back({&op_mask_indices, {m}, {{"value", 1}, {"count", ones}}, kExact});
    cases.push_back({&op_mask_indices, {m}, {{"value", 0}, {"count", length - ones}}, kExact});
  }
  cases.push_back({&op_one_hot, {rows({4}, 7)}, {{"classes", 7}}, kExact});
  cases.push_back({&op_one_hot, {rows({1}, 1)}, {{"classes", 1}}, kExact});
  cases.push_back({&op_one_hot, {rows({0}, 3)}, {{"classes", 3}}, kExact});
}

void pixels(Cases& cases) {
  for (const Shape& shape : {Shape{2, 3, 2, 5, 7}, Shape{1, 3}, Shape{3, 3, 16}, Shape{2, 3, 20},
                             Shape{0, 3, 4}, Shape{2, 3, 4, 32, 32}})
    cases.push_back({&op_normalise_pixels, {whole(DType::u8, shape, 0, 256)}, {}, kFunction});
}

void sources(Cases& cases) {
  for (const DType dtype :
       {DType::f32, DType::bf16, DType::i32, DType::i64, DType::u8, DType::boolean})
    cases.push_back(
        {&op_full, {}, {{"value", 1.0}, {"shape", Ints{2, 3}}, {"dtype", dtype}}, kExact});
  cases.push_back({&op_full, {}, {{"value", 0.1}}, kRounding});
  cases.push_back({&op_full, {}, {{"value", -0.5}, {"shape", Ints{0}}}, kExact});
  // Both precisions hold the table rounded to f32.
  for (const auto& [n, dim] : {std::pair<int, int>{1, 1}, {7, 6}, {5, 3}, {0, 4}, {800, 16}})
    cases.push_back({&op_position_table, {}, {{"rows", n}, {"dim", dim}}, kExact});
  const InputSpec seed = whole(DType::i64, {}, 0, 1e6);
  for (const Ints& shape : {Ints{}, {1}, {7}, {2, 3, 5}, {0}, {97, 11}})
    cases.push_back({&op_random_uniform, {seed, seed}, {{"site", 5}, {"shape", shape}}, kExact});
}

// q, k and v packed in one, two and three tensors; one head and many, tiny regions and long rows.
void attention(Cases& cases) {
  struct Row {
    int64_t batch, queries, keys, heads, width;
  };
  for (const Row& r : {Row{1, 1, 1, 1, 1},
                       {2, 3, 3, 2, 4},
                       {3, 11, 11, 2, 5},
                       {1, 7, 3, 1, 8},
                       {2, 5, 8, 3, 2},
                       {1, 33, 70, 1, 16},
                       {0, 4, 4, 2, 2},
                       {1, 0, 3, 1, 2}}) {
    const int64_t dim = r.heads * r.width;
    const Shape q{r.batch, r.queries, dim};
    const Shape k{r.batch, r.keys, dim};
    const std::vector<NamedAttr> attrs{{"heads", r.heads}, {"scale", 0.5}};
    std::vector<std::vector<InputSpec>> packings{{real(q), real({r.batch, r.keys, 2 * dim})},
                                                 {real(q), real(k), real(k)}};
    if (r.queries == r.keys) packings.push_back({real({r.batch, r.keys, 3 * dim})});
    for (std::vector<InputSpec>& inputs : packings) {
      cases.push_back({&op_attention, inputs, attrs, kAttention});
      inputs.push_back(real(q));
      cases.push_back({&op_attention_grad, inputs, attrs, kAttention});
    }
  }
  for (const DType dtype : {DType::bf16, DType::f16}) {
    cases.push_back({&op_attention,
                     {typed(dtype, {2, 5, 18})},
                     {{"heads", int64_t{3}}, {"scale", 0.5}},
                     kAttention});
    cases.push_back({&op_attention_grad,
                     {typed(dtype, {2, 5, 18}), typed(dtype, {2, 5, 6})},
                     {{"heads", int64_t{3}}, {"scale", 0.5}},
                     kAttention});
  }
}

void targets(Cases& cases) {
  const Shape video{2, 3, 4, 4, 6};
  for (const bool normalise : {false, true})
    for (const int64_t group : {0, 1, 2, 4}) {
      const std::vector<NamedAttr> attrs{{"tubelet", int64_t{2}},
                                         {"patch", int64_t{2}},
                                         {"normalise", normalise},
                                         {"group", group}};
      cases.push_back({&op_reconstruction_target, {real(video)}, attrs, kSum});
      cases.push_back({&op_reconstruction_target, {real(video), rows({2, 5}, 12)}, attrs, kSum});
      cases.push_back({&op_reconstruction_loss,
                       {real({2, 5, 24}), no_gradient(real(video)), rows({2, 5}, 12)},
                       attrs,
                       kSum});
    }
  for (const Shape& shape : {Shape{1}, {5}, {3, 1}, {2, 3, 40}})
    cases.push_back({&op_mean_squared_error, {real(shape), real(shape)}, {}, kSum});
  cases.push_back({&op_reconstruction_target,
                   {real({1, 3, 2, 16, 16})},
                   {{"tubelet", int64_t{2}}, {"patch", int64_t{16}}, {"group", int64_t{2}}},
                   kSum});
}

void layers(Cases& cases) {
  for (const Shape& x :
       {Shape{1}, {7}, {3, 1}, {2, 5}, {2, 3, 9}, {0, 4}, {2, 1, 3, 2, 4}, {5, 97}}) {
    cases.push_back({&op_softmax, {real(x)}, {}, kFunction});
    cases.push_back({&op_softmax_grad, {real(x, 0, 1), real(x)}, {}, kSum});
    const Shape vector{x[-1]};
    std::vector<int64_t> per_row = x.to_vector();
    per_row.pop_back();
    cases.push_back({&op_layer_norm, {real(x), real(vector), real(vector)}, {{"eps", 1e-2}}, kSum});
    cases.push_back(
        {&op_layer_norm_grad,
         {real(x), real(x), real(vector), real(Shape(per_row)), positive(Shape(per_row))},
         {},
         kSum});
    OpCase with_residual = cases.back();
    with_residual.inputs.push_back(real(x));
    cases.push_back(std::move(with_residual));
  }
  for (const std::vector<Shape>& shapes :
       {std::vector<Shape>{{7}}, {{3, 5}, {}, {0}, {2, 1, 3}}, {{9, 131}, {600}}}) {
    std::vector<InputSpec> inputs;
    for (const Shape& shape : shapes) inputs.push_back(real(shape));
    cases.push_back({&op_global_norm, std::move(inputs), {}, kSum});
  }
  for (const Shape& x : {Shape{1, 1}, {4, 7}, {0, 3}, {3, 31}})
    cases.push_back({&op_cross_entropy, {real(x), no_gradient(real(x, 0, 1))}, {}, kSum});
  const auto scalar = [](double low, double high) { return real({}, low, high); };
  for (const bool decay : {false, true})
    for (const Shape& p : {Shape{}, {1}, {5}, {3, 7}, {0}, {2, 3, 1, 2, 2}})
      cases.push_back({&op_adamw,
                       {real(p), real(p), real(p, 0.1, 1), real(p), scalar(1e-3, 1e-1),
                        scalar(0.01, 0.1), scalar(0.5, 1), whole(DType::i64, {}, 1, 9), bools({})},
                       {{"beta1", 0.9}, {"beta2", 0.95}, {"lr_scale", 0.75}, {"decay", decay}},
                       kFunction});
}

}  // namespace

std::span<const OpCase> op_cases() {
  static const Cases cases = [] {
    Cases all;
    for (const auto add : {unary, binary, casts, products, reductions, layout, tokens, pixels,
                           sources, attention, targets, layers})
      add(all);
    return all;
  }();
  return cases;
}

}  // namespace grimace::testing
