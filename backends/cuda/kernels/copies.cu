// Ops that only move elements, as words as wide as sizes and strides allow, up to 16 bytes.
// transpose: where the last axis stays, its rows are read and written in words; where source and
// result are dense along different long axes, tiles of 32 x 32 pass through shared memory so that
// both sides are read and written along their dense axis; else, element by element.
// slice, pad, concat: the result is rows of columns [begin, end), each range from its own source or
// zero; one launch for up to kParts ranges. broadcast is a map (map.h).
// Split: by words, a grid apart when there are more; a block for every tile.
#include <type_traits>

#include "backends/cuda/kernels/common.h"
#include "backends/cuda/kernels/map.h"
#include "ir/ops/layout.h"

namespace grimace::cuda {
namespace {

constexpr int kTile = 32;
constexpr int kTileRows = kThreads / kTile;
constexpr int64_t kShortAxis = 16;  // of which tiles would be mostly empty
constexpr int kParts = 16;

using Bytes = const std::byte*;

// ---- A dense result from a source with strides ---------------------------------------------
template <typename W>
struct Strided {
  const W* from;
  W* to;
  Walk<1> walk;
  int64_t count;
};

template <typename W>
__global__ void __launch_bounds__(kThreads) copy_strided(Strided<W> s) {
  read_then_write<kUnroll>(
      s.count,
      [&](int64_t i) {
        int64_t at[1];
        s.walk.find(static_cast<uint32_t>(i), at);
        return s.from[at[0]];
      },
      [&](int64_t i, W word) { s.to[i] = word; });
}

// `loops` of the source and the dense result, in words of `bytes`.
GpuKernel make_strided(const std::string& what, const Loops<2>& loops, int64_t bytes,
                       const Operands& operands, const Context& context) {
  return with_wide_word(bytes, [&](auto word) -> GpuKernel {
    using W = decltype(word);
    std::vector<std::pair<Geometry, Strided<W>>> launches;
    for (const Piece<2>& piece : pieces(loops)) {
      Loops<1> source;
      source.rank = piece.loops.rank;
      source.dims = piece.loops.dims;
      source.strides[0] = piece.loops.strides[0];
      const int64_t count = piece.loops.count();
      launches.emplace_back(threads_for(context, quotient_up(count, kUnroll)),
                            Strided<W>{static_cast<const W*>(operands.in[0].data) + piece.begin[0],
                                       static_cast<W*>(operands.out[0].data) + piece.begin[1],
                                       Walk<1>(source), count});
    }
    return {.name = cat(what, ", rank ", loops.rank, " in words of ", bytes, ", ",
                        to_string(launches.front().first)),
            .run = [launches](cudaStream_t stream) {
              for (const auto& [geometry, s] : launches)
                launch(copy_strided<W>, geometry, stream, s);
            }};
  });
}

// ---- Tiles ---------------------------------------------------------------------------------
// to[d * to_by + c] = from[d + c * from_by] for d < depth, c < cols, at every place of `others`.
template <typename W>
struct Tiles {
  const W* from;
  W* to;
  int64_t from_by, to_by;
  int64_t depth, cols;
  FastDivide tiles_down, tiles_across;  // of depth and of cols
  Walk<2> others;
};

template <typename W>
__global__ void __launch_bounds__(kThreads) copy_tiles(Tiles<W> t) {
  __shared__ W tile[kTile][kTile + 1];  // by c, then d; one more so that columns miss no bank
  const int x = static_cast<int>(threadIdx.x) % kTile;
  const int first = static_cast<int>(threadIdx.x) / kTile;
  const uint32_t row = t.tiles_across(blockIdx.x);
  const uint32_t other = t.tiles_down(row);
  const int64_t c0 = int64_t{blockIdx.x - row * t.tiles_across.divisor} * kTile;
  const int64_t d0 = int64_t{row - other * t.tiles_down.divisor} * kTile;
  int64_t at[2];
  t.others.find(other, at);
#pragma unroll
  for (int y = first; y < kTile; y += kTileRows)
    if (d0 + x < t.depth && c0 + y < t.cols)
      tile[y][x] = t.from[at[0] + d0 + x + (c0 + y) * t.from_by];
  __syncthreads();
#pragma unroll
  for (int y = first; y < kTile; y += kTileRows)
    if (c0 + x < t.cols && d0 + y < t.depth) t.to[at[1] + (d0 + y) * t.to_by + c0 + x] = tile[x][y];
}

Loops<2> without(const Loops<2>& loops, int axis, int other_axis) {
  Loops<2> result;
  for (int i = 0; i < loops.rank; ++i) {
    if (i == axis || i == other_axis) continue;
    const auto from = static_cast<size_t>(i);
    const auto to = static_cast<size_t>(result.rank++);
    result.dims[to] = loops.dims[from];
    for (auto k : {0u, 1u}) result.strides[k][to] = loops.strides[k][from];
  }
  if (result.rank == 0) result.dims[static_cast<size_t>(result.rank++)] = 1;
  return result;
}

// The source is dense along `axis`, the result along the last axis.
GpuKernel make_tiles(const std::string& what, const Loops<2>& loops, int axis, int64_t bytes,
                     const Operands& operands) {
  GpuKernel kernel;
  ops::with_word(bytes, [&](auto word) {
    using W = decltype(word);
    Tiles<W> t;
    t.from = static_cast<const W*>(operands.in[0].data);
    t.to = static_cast<W*>(operands.out[0].data);
    t.from_by = loops.step(0);
    t.to_by = loops.strides[1][static_cast<size_t>(axis)];
    t.depth = loops.dims[static_cast<size_t>(axis)];
    t.cols = loops.cols();
    t.tiles_down = FastDivide(quotient_up(t.depth, kTile));
    t.tiles_across = FastDivide(quotient_up(t.cols, kTile));
    const Loops<2> others = without(loops, axis, loops.rank - 1);
    t.others = Walk<2>(others);
    const int64_t count = others.count() * t.tiles_down.divisor * t.tiles_across.divisor;
    const Geometry geometry{.grid = {blocks_for_all(count, 1)}, .block = {kThreads}};
    internal_check(geometry.grid.x == count, what, ": ", count, " tiles");
    kernel.name = cat(what, ", tiles of ", t.depth, "x", t.cols, ", ", to_string(geometry));
    kernel.run = [geometry, t](cudaStream_t stream) { launch(copy_tiles<W>, geometry, stream, t); };
  });
  return kernel;
}

// ---- transpose -----------------------------------------------------------------------------
// The widest word that rows of the source, and so of the result, are made of.
int64_t word_of_rows(const Loops<2>& loops, int64_t size) {
  int64_t bytes = common_word({loops.cols() * size});
  for (int axis = 0; axis + 1 < loops.rank; ++axis)
    bytes = common_word({bytes, loops.strides[0][static_cast<size_t>(axis)] * size});
  return bytes;
}

Loops<2> in_words(Loops<2> loops, int64_t elements) {
  const auto last = static_cast<size_t>(loops.rank - 1);
  loops.dims[last] /= elements;
  for (auto& strides : loops.strides)
    for (size_t axis = 0; axis < last; ++axis) strides[axis] /= elements;
  return loops;
}

GpuKernel make_transpose(const Node& node, const Operands& operands, const Context& context) {
  const auto& permutation = node.integers("permutation");
  const auto source = node.in(0).shape.strides();
  std::array<std::array<int64_t, kMaxRank>, 2> strides{};
  for (size_t i = 0; i < permutation.size(); ++i)
    strides[0][i] = source[static_cast<size_t>(permutation[i])];
  strides[1] = node.out().shape.strides();
  const Loops<2> loops = collapse<2>(node.out().shape, strides);
  const int64_t size = size_of(node.out().dtype);
  const std::string what = cat("transpose ", node.out().dtype);
  if (loops.step(0) == 1 || loops.count() == 1) {
    const int64_t bytes = word_of_rows(loops, size);
    return make_strided(what, in_words(loops, bytes / size), bytes, operands, context);
  }
  for (int axis = 0; axis + 1 < loops.rank; ++axis)
    if (loops.strides[0][static_cast<size_t>(axis)] == 1 && loops.cols() >= kShortAxis &&
        loops.dims[static_cast<size_t>(axis)] >= kShortAxis)
      return make_tiles(what, loops, axis, size, operands);
  return make_strided(what, loops, size, operands, context);
}

// ---- slice, pad, concat --------------------------------------------------------------------
// Columns [begin, next part's begin) of the result; rows of the source are `pitch` apart, and its
// address is such that column 0 would be there.
struct Part {
  Bytes from = nullptr;  // null: zeros
  int64_t begin = 0;     // in bytes, as all here
  int64_t end = 0;
  int64_t pitch = 0;
};

template <typename W>
struct Join {
  const W* from[kParts];
  uint32_t begin[kParts];
  uint32_t pitch[kParts];
  int parts;
  W* to;
  uint32_t to_pitch;
  FastDivide cols;
  int64_t count;
};

template <typename W>
__global__ void __launch_bounds__(kThreads) join_columns(Join<W> j) {
  read_then_write<kUnroll>(
      j.count,
      [&](int64_t i) {
        const uint32_t row = j.cols(static_cast<uint32_t>(i));
        const uint32_t col = static_cast<uint32_t>(i) - row * j.cols.divisor;
        const W* from = j.from[0];
        uint32_t begin = 0;
        uint32_t pitch = j.pitch[0];
#pragma unroll
        for (int k = 1; k < kParts; ++k) {
          if (k >= j.parts) break;
          if (col < j.begin[k]) continue;
          from = j.from[k];
          begin = j.begin[k];
          pitch = j.pitch[k];
        }
        return from == nullptr ? W{} : from[uint64_t{row} * pitch + (col - begin)];
      },
      [&](int64_t i, W word) {
        const uint32_t row = j.cols(static_cast<uint32_t>(i));
        const uint32_t col = static_cast<uint32_t>(i) - row * j.cols.divisor;
        j.to[uint64_t{row} * j.to_pitch + col] = word;
      });
}

template <typename W>
using JoinLaunches = std::vector<std::pair<Geometry, Join<W>>>;

// One launch for `parts`, more where there are too many rows.
template <typename W>
void add_joins(std::span<const Part> parts, int64_t rows, std::byte* to, int64_t to_pitch,
               const Context& context, JoinLaunches<W>& launches) {
  const auto words = [](int64_t bytes) {
    return static_cast<uint32_t>(bytes / static_cast<int64_t>(sizeof(W)));
  };
  const int64_t first = parts.front().begin;
  const int64_t cols = words(parts.back().end - first);
  const int64_t rows_each = kMostSteps / cols;
  for (int64_t row = 0; row < rows; row += rows_each) {
    Join<W> j{};
    for (const Part& part : parts) {
      const auto k = static_cast<size_t>(j.parts++);
      if (part.from != nullptr)
        j.from[k] = reinterpret_cast<const W*>(part.from + row * part.pitch);
      j.begin[k] = words(part.begin - first);
      j.pitch[k] = words(part.pitch);
    }
    j.to = reinterpret_cast<W*>(to + row * to_pitch + first);
    j.to_pitch = words(to_pitch);
    j.cols = FastDivide(cols);
    j.count = std::min(rows_each, rows - row) * cols;
    launches.emplace_back(threads_for(context, quotient_up(j.count, kUnroll)), j);
  }
}

GpuKernel make_join(const Node& node, std::vector<Part> parts, int64_t rows, std::byte* to,
                    const Context& context) {
  std::erase_if(parts, [](const Part& part) { return part.begin == part.end; });
  const int64_t to_pitch = parts.back().end;
  int64_t bytes = common_word({to_pitch});
  for (const Part& part : parts)
    bytes = common_word({bytes, part.begin, part.pitch,
                         static_cast<int64_t>(reinterpret_cast<uintptr_t>(part.from))});
  for (const Part& part : parts)
    node.require(part.pitch / bytes < kMostSteps && to_pitch / bytes < kMostSteps,
                 "rows of more than 2^31 words are too long for the cuda backend; use another axis "
                 "or --backend cpu");
  return with_wide_word(bytes, [&](auto word) -> GpuKernel {
    using W = decltype(word);
    JoinLaunches<W> launches;
    for (size_t k = 0; k < parts.size(); k += kParts)
      add_joins<W>(std::span(parts).subspan(k, std::min<size_t>(kParts, parts.size() - k)), rows,
                   to, to_pitch, context, launches);
    return {.name = cat(node.op_name(), " ", node.out().dtype, ", ", parts.size(),
                        parts.size() == 1 ? " part" : " parts", " in words of ", bytes, ", ",
                        to_string(launches.front().first)),
            .run = [launches](cudaStream_t stream) {
              for (const auto& [geometry, j] : launches)
                launch(join_columns<W>, geometry, stream, j);
            }};
  });
}

GpuKernel make_columns(const Node& node, const Operands& operands, const Context& context) {
  const int64_t axis = node.integer("axis");
  const int64_t size = size_of(node.out().dtype);
  const auto bytes_of = [&](const TensorType& type) {
    const ops::AroundAxis a = ops::around(type.shape, axis);
    return a.length * a.inner * size;
  };
  const ops::AroundAxis y = ops::around(node.out().shape, axis);
  const int64_t step = y.inner * size;  // of one place along the axis
  std::vector<Part> parts;
  int64_t end = 0;
  const auto add = [&](Bytes from, int64_t bytes, int64_t pitch) {
    parts.push_back({from, end, end + bytes, pitch});
    end += bytes;
  };
  const auto data = [&](size_t i) { return static_cast<Bytes>(operands.in[i].data); };
  if (node.is(op_slice)) {
    add(data(0) + node.integer("begin") * step, y.length * step, bytes_of(node.in(0)));
  } else if (node.is(op_pad)) {
    add(nullptr, node.integer("before") * step, 0);
    add(data(0), bytes_of(node.in(0)), bytes_of(node.in(0)));
    add(nullptr, node.integer("after") * step, 0);
  } else {
    for (size_t i = 0; i < operands.in.size(); ++i) {
      const int64_t bytes = bytes_of(operands.in[i].type);
      add(data(i), bytes, bytes);
    }
  }
  return make_join(node, std::move(parts), y.outer, static_cast<std::byte*>(operands.out[0].data),
                   context);
}

struct Same {
  template <typename W>
  __device__ W operator()(W x) const {
    return x;
  }
};
GpuKernel make_broadcast(const Node& node, const Operands& operands, const Context& context) {
  GpuKernel kernel;
  ops::with_word(size_of(node.out().dtype), [&](auto word) {
    using W = decltype(word);
    kernel = make_map<Same, W, W>(cat("broadcast ", node.out().dtype), node, operands, context);
  });
  return kernel;
}

}  // namespace

bool serves_copy(const Node&) {
  return true;
}

GpuKernel make_copy(const Node& node, const Operands& operands, const Context& context) {
  if (node.out().numel() == 0) return nothing();
  if (node.is(op_transpose)) return make_transpose(node, operands, context);
  if (node.is(op_broadcast)) return make_broadcast(node, operands, context);
  return make_columns(node, operands, context);
}

}  // namespace grimace::cuda
