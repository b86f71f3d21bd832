// Ops that only move elements: transpose, broadcast, slice, pad, concat. Each is one or
// more strided copies over a collapsed loop nest: whole runs by memcpy where the last axis is dense
// in both, rows of one repeated element, or, where source and result are dense along different
// axes, tiles of both. Split by rows, or inside the row or tile where there are few.
#include <cstring>

#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"
#include "backends/loops.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/layout.h"

namespace grimace::cpu {
namespace {

using Strides = std::array<int64_t, kMaxRank>;
constexpr size_t kFrom = 0;
constexpr size_t kTo = 1;
constexpr int64_t kTile = 16;

template <typename W>
struct Places {
  const W* from;
  W* to;
};

template <typename W>
void copy_runs(const Context& cpu, const Loops<2>& loops, Places<W> s) {
  const int64_t cols = loops.cols();
  if (loops.rows() == 1)
    return parallel_for(cpu, cols, 4 * kGrain, [s](int64_t begin, int64_t end) {
      std::memcpy(s.to + begin, s.from + begin, static_cast<size_t>(end - begin) * sizeof(W));
    });
  parallel_for(cpu, loops.rows(), grain_rows(cols), [&loops, s, cols](int64_t begin, int64_t end) {
    for_each_row(loops, begin, end, [&](const std::array<int64_t, 2>& at) {
      std::memcpy(s.to + at[kTo], s.from + at[kFrom], static_cast<size_t>(cols) * sizeof(W));
    });
  });
}

// Any steps along the last axis; step 0 repeats one element.
template <typename W>
void copy_steps(const Context& cpu, const Loops<2>& loops, Places<W> s) {
  const int64_t cols = loops.cols();
  const int64_t by = loops.step(kFrom);
  const int64_t to_by = loops.step(kTo);
  parallel_for(cpu, loops.rows(), grain_rows(cols), [=, &loops](int64_t begin, int64_t end) {
    for_each_row(loops, begin, end, [&](const std::array<int64_t, 2>& at) {
      const W* from = s.from + at[kFrom];
      W* to = s.to + at[kTo];
      if (by == 0 && to_by == 1) {
        std::fill(to, to + cols, *from);
      } else {
        for (int64_t c = 0; c < cols; ++c) to[c * to_by] = from[c * by];
      }
    });
  });
}

// to[t * to_by + c] = from[t + c * from_by] for t in [begin, end) and c in [0, cols).
template <typename W>
inline void copy_tiles(const W* from, int64_t from_by, W* to, int64_t to_by, int64_t begin,
                       int64_t end, int64_t cols) {
  for (int64_t t0 = begin; t0 < end; t0 += kTile)
    for (int64_t c0 = 0; c0 < cols; c0 += kTile) {
      const int64_t t1 = std::min(t0 + kTile, end);
      const int64_t c1 = std::min(c0 + kTile, cols);
      if (cols < kTile) {  // the longer loop inside: colours of a cube, say
        for (int64_t c = c0; c < c1; ++c)
          for (int64_t t = t0; t < t1; ++t) to[t * to_by + c] = from[t + c * from_by];
        continue;
      }
      for (int64_t t = t0; t < t1; ++t)
        for (int64_t c = c0; c < c1; ++c) to[t * to_by + c] = from[t + c * from_by];
    }
}

// The source is dense along `axis`, the result along the last axis.
template <typename W>
void copy_transposed(const Context& cpu, const Loops<2>& loops, int axis, Places<W> s) {
  Loops<2> others = loops;  // without `axis`: its rows are the starts of the tiles
  others.rank = 0;
  for (int i = 0; i < loops.rank; ++i) {
    if (i == axis) continue;
    const auto at = static_cast<size_t>(others.rank++);
    others.dims[at] = loops.dims[static_cast<size_t>(i)];
    for (const size_t k : {kFrom, kTo})
      others.strides[k][at] = loops.strides[k][static_cast<size_t>(i)];
  }
  const int64_t cols = loops.cols();
  const int64_t depth = loops.dims[static_cast<size_t>(axis)];
  const int64_t from_by = loops.step(kFrom);
  const int64_t to_by = loops.strides[kTo][static_cast<size_t>(axis)];
  const int64_t rows = others.rows();
  const auto tiles = [=, &others](int64_t row, int64_t row_end, int64_t begin, int64_t end) {
    for_each_row(others, row, row_end, [&](const std::array<int64_t, 2>& at) {
      copy_tiles(s.from + at[kFrom], from_by, s.to + at[kTo], to_by, begin, end, cols);
    });
  };
  if (rows >= cpu.threads)
    parallel_for(cpu, rows, grain_rows(depth * cols),
                 [=](int64_t begin, int64_t end) { tiles(begin, end, 0, depth); });
  else
    parallel_for(cpu, depth, grain_rows(rows * cols),
                 [=](int64_t begin, int64_t end) { tiles(0, rows, begin, end); });
}

// Copies shape.numel() elements of `size` bytes between strided places.
class StridedCopy {
 public:
  StridedCopy(const Context& cpu, const Shape& shape, int64_t size, const void* from,
              const Strides& from_strides, void* to, const Strides& to_strides)
      : cpu_(cpu),
        loops_(collapse<2>(shape, {from_strides, to_strides})),
        size_(size),
        from_(from),
        to_(to) {
    for (int axis = 0; axis + 1 < loops_.rank; ++axis)
      if (loops_.strides[kFrom][static_cast<size_t>(axis)] == 1) dense_axis_ = axis;
  }

  void operator()() const {
    if (loops_.count() == 0) return;
    ops::with_word(size_, [&](auto word) {
      using W = decltype(word);
      const Places<W> s{static_cast<const W*>(from_), static_cast<W*>(to_)};
      const bool dense_result = loops_.step(kTo) == 1 || loops_.cols() == 1;
      if (dense_result && (loops_.step(kFrom) == 1 || loops_.cols() == 1))
        return copy_runs(cpu_, loops_, s);
      if (dense_result && dense_axis_ >= 0 && loops_.step(kFrom) != 0)
        return copy_transposed(cpu_, loops_, dense_axis_, s);
      copy_steps(cpu_, loops_, s);
    });
  }

 private:
  Context cpu_;
  Loops<2> loops_;
  int64_t size_;
  const void* from_;
  void* to_;
  int dense_axis_ = -1;  // of the source, when it is not the last
};

template <typename T>
T* advance(T* data, int64_t bytes) {
  using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
  return static_cast<Byte*>(data) + bytes;
}

// A copy of a box of `shape` between two tensors, at `from_begin` and `to_begin` along `axis`.
StridedCopy box_copy(const Context& cpu, const Shape& shape, int64_t axis, const ConstView& from,
                     int64_t from_begin, const View& to, int64_t to_begin) {
  const auto from_strides = from.type.shape.strides();
  const auto to_strides = to.type.shape.strides();
  const auto a = static_cast<size_t>(axis);
  const int64_t size = size_of(to.type.dtype);
  return {cpu,          shape,
          size,         advance(from.data, from_begin * from_strides[a] * size),
          from_strides, advance(to.data, to_begin * to_strides[a] * size),
          to_strides};
}

StridedCopy zero_box(const Context& cpu, Shape shape, int64_t axis, int64_t length, const View& to,
                     int64_t to_begin) {
  static constexpr uint64_t kZero = 0;
  std::vector<int64_t> dims = shape.to_vector();
  dims[static_cast<size_t>(axis)] = length;
  const auto strides = to.type.shape.strides();
  const int64_t size = size_of(to.type.dtype);
  return {cpu,       Shape(dims),
          size,      &kZero,
          Strides{}, advance(to.data, to_begin * strides[static_cast<size_t>(axis)] * size),
          strides};
}

}  // namespace

Kernel make_transpose(const Node& node, const Operands& operands, const Context& cpu) {
  const auto& permutation = node.integers("permutation");
  const auto source = node.in(0).shape.strides();
  Strides strides{};
  for (size_t i = 0; i < permutation.size(); ++i)
    strides[i] = source[static_cast<size_t>(permutation[i])];
  return StridedCopy(cpu, node.out().shape, size_of(node.out().dtype), operands.in[0].data, strides,
                     operands.out[0].data, node.out().shape.strides());
}

Kernel make_broadcast(const Node& node, const Operands& operands, const Context& cpu) {
  return StridedCopy(cpu, node.out().shape, size_of(node.out().dtype), operands.in[0].data,
                     ops::broadcast_strides(node.in(0).shape, node.out().shape),
                     operands.out[0].data, node.out().shape.strides());
}

Kernel make_slice(const Node& node, const Operands& operands, const Context& cpu) {
  return box_copy(cpu, node.out().shape, node.integer("axis"), operands.in[0],
                  node.integer("begin"), operands.out[0], 0);
}

Kernel make_pad(const Node& node, const Operands& operands, const Context& cpu) {
  const int64_t axis = node.integer("axis");
  const int64_t before = node.integer("before");
  const int64_t after = node.integer("after");
  const Shape& x = node.in(0).shape;
  const View& y = operands.out[0];
  return [head = zero_box(cpu, x, axis, before, y, 0),
          body = box_copy(cpu, x, axis, operands.in[0], 0, y, before),
          tail = zero_box(cpu, x, axis, after, y, before + x[static_cast<int>(axis)])] {
    head();
    body();
    tail();
  };
}

Kernel make_concat(const Node& node, const Operands& operands, const Context& cpu) {
  const int64_t axis = node.integer("axis");
  std::vector<StridedCopy> parts;
  int64_t begin = 0;
  for (const ConstView& part : operands.in) {
    const Shape& shape = part.type.shape;
    parts.push_back(box_copy(cpu, shape, axis, part, 0, operands.out[0], begin));
    begin += shape[static_cast<int>(axis)];
  }
  return [parts = std::move(parts)] {
    for (const StridedCopy& part : parts) part();
  };
}

}  // namespace grimace::cpu
