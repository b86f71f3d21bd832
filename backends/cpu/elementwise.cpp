// Elementwise ops of two and three operands with NumPy broadcasting: y = f(a, b). The iteration
// space collapses to rows; inside a row each operand is a vector or one value. Split by rows, or by
// columns where there is one row. In place is allowed: element i is read before it is written.
#include "ir/ops/elementwise.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"
#include "backends/loops.h"
#include "ir/op_def.h"
#include "ir/ops/layout.h"

namespace grimace::cpu {
namespace {

template <size_t N>
Loops<N> broadcast_loops(const Node& node) {
  std::array<std::array<int64_t, kMaxRank>, N> strides;
  for (size_t k = 0; k < N; ++k)
    strides[k] = ops::broadcast_strides(node.in(static_cast<int>(k)).shape, node.out().shape);
  return collapse<N>(node.out().shape, strides);
}

// Calls part(first output element, offsets of the operands, elements) for pieces of rows.
template <size_t N, typename Part>
void over_rows(const Context& cpu, const Loops<N>& loops, const Part& part) {
  const int64_t rows = loops.rows();
  const int64_t cols = loops.cols();
  if (rows == 1)
    return parallel_for(cpu, cols, kGrain, [&loops, part](int64_t begin, int64_t end) {
      std::array<int64_t, N> offset;
      for (size_t k = 0; k < N; ++k) offset[k] = begin * loops.step(k);
      part(begin, offset, end - begin);
    });
  parallel_for(cpu, rows, grain_rows(cols), [&loops, part, cols](int64_t begin, int64_t end) {
    int64_t at = begin * cols;
    for_each_row(loops, begin, end, [&](const std::array<int64_t, N>& offset) {
      part(at, offset, cols);
      at += cols;
    });
  });
}

// One row: an operand whose step is 0 is one value for the whole row.
template <typename F, typename T, typename R>
inline void binary_row(const T* a, bool a_varies, const T* b, bool b_varies, R* y, int64_t n) {
  const F f;
  if (a_varies && b_varies) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (a_varies) {
    const T right = *b;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], right);
  } else {
    const T left = *a;
    const int64_t step = b_varies ? 1 : 0;
    if (step == 0) {
      y[0] = f(left, *b);  // collapse() leaves no longer row without a vector
      return;
    }
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = f(left, b[i]);
  }
}

template <typename F, typename T = float>
Kernel binary(const Node& node, const Operands& operands, const Context& cpu) {
  using R = decltype(F{}(T{}, T{}));
  return [cpu, loops = broadcast_loops<2>(node), a = operands.in[0].as<T>().data(),
          b = operands.in[1].as<T>().data(), y = operands.out[0].as<R>().data()] {
    const bool a_varies = loops.step(0) != 0;
    const bool b_varies = loops.step(1) != 0;
    over_rows(cpu, loops, [=](int64_t at, const std::array<int64_t, 2>& offset, int64_t n) {
      binary_row<F>(a + offset[0], a_varies, b + offset[1], b_varies, y + at, n);
    });
  };
}

// clang-format off
struct Add { float operator()(float a, float b) const { return a + b; } };
struct Sub { float operator()(float a, float b) const { return a - b; } };
struct Mul { float operator()(float a, float b) const { return a * b; } };
struct Div { float operator()(float a, float b) const { return a / b; } };
struct Maximum { float operator()(float a, float b) const { return a < b ? b : a; } };
struct Minimum { float operator()(float a, float b) const { return b < a ? b : a; } };
struct Less { bool operator()(float a, float b) const { return a < b; } };
struct And { bool operator()(bool a, bool b) const { return a & b; } };
// clang-format on

// Words instead of values: select moves elements. The steps are 0 or 1.
template <typename W>
Kernel select(const Node& node, const Operands& operands, const Context& cpu) {
  return
      [cpu, loops = broadcast_loops<3>(node), condition = operands.in[0].as<bool>().data(),
       a = static_cast<const W*>(operands.in[1].data),
       b = static_cast<const W*>(operands.in[2].data), y = static_cast<W*>(operands.out[0].data)] {
        const std::array<int64_t, 3> step{loops.step(0), loops.step(1), loops.step(2)};
        over_rows(cpu, loops, [=](int64_t at, const std::array<int64_t, 3>& offset, int64_t n) {
          const bool* c = condition + offset[0];
          const W* from_a = a + offset[1];
          const W* from_b = b + offset[2];
          W* to = y + at;
          if (step[0] == 0) {
            const W* from = *c ? from_a : from_b;
            const int64_t by = *c ? step[1] : step[2];
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) to[i] = from[i * by];
          } else {
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i)
              to[i] = c[i] ? from_a[i * step[1]] : from_b[i * step[2]];
          }
        });
      };
}

}  // namespace

// clang-format off
Kernel make_add(const Node& n, const Operands& o, const Context& c) { return binary<Add>(n, o, c); }
Kernel make_sub(const Node& n, const Operands& o, const Context& c) { return binary<Sub>(n, o, c); }
Kernel make_mul(const Node& n, const Operands& o, const Context& c) { return binary<Mul>(n, o, c); }
Kernel make_div(const Node& n, const Operands& o, const Context& c) { return binary<Div>(n, o, c); }
Kernel make_maximum(const Node& n, const Operands& o, const Context& c) { return binary<Maximum>(n, o, c); }
Kernel make_minimum(const Node& n, const Operands& o, const Context& c) { return binary<Minimum>(n, o, c); }
Kernel make_less(const Node& n, const Operands& o, const Context& c) { return binary<Less>(n, o, c); }
Kernel make_logical_and(const Node& n, const Operands& o, const Context& c) { return binary<And, bool>(n, o, c); }
// clang-format on

Kernel make_select(const Node& node, const Operands& operands, const Context& cpu) {
  Kernel kernel;
  ops::with_word(size_of(node.out().dtype),
                 [&](auto word) { kernel = select<decltype(word)>(node, operands, cpu); });
  return kernel;
}

}  // namespace grimace::cpu
