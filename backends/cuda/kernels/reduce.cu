// reduce_sum over any axes: f32 sums of f32, bf16 or f16. Neighbouring axes of one kind merge, and
// every run of reduced axes is one stage [outer, length, inner] -> [outer, inner], last one first.
// A stage is one pass, or two where its result alone would not fill the GPU: first the sums of
// `parts` pieces of the length, then the sums of those. Threads sum in f32, then blocks as a tree;
// everything is fixed by the shape, so runs repeat bit for bit.
//   inner = 1, short:  some lanes of a warp for each row
//   inner = 1, long:   a block for each part of a row
//   inner > 1:         a block for `width` columns of a part, kThreads / width rows at a time
#include <vector>

#include "backends/cuda/kernels/rows.h"

namespace grimace::cuda {
namespace {

constexpr int64_t kLongRow = 1024;   // elements from which a row has a block to itself
constexpr int64_t kRowPart = 4096;   // at least so many in a part of a row
constexpr int64_t kFewRows = 1024;   // columns of no more rows than this are summed in one pass
constexpr int64_t kRowsAThread = 8;  // at least so many in a part of columns

// y[o, p, i] = the sum of x[o, l, i] over part p of l, `chunk` long.
struct Pass {
  int64_t outer = 1, length = 1, inner = 1;
  int64_t chunk = 1;
  int parts = 1;
  int pack = 1;   // elements of one access
  int width = 1;  // of inner > 1: packs of columns side by side in a block
  int tiles = 1;  // as many blocks side by side

  int64_t outputs() const { return outer * parts * inner; }
};

template <typename X, int N>
__global__ void __launch_bounds__(kThreads)
    sum_rows(const X* __restrict__ x, float* __restrict__ y, Pass pass, int lanes) {
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % lanes;
  const int64_t row = int64_t{blockIdx.x} * (kThreads / lanes) + thread / lanes;
  float sum[N] = {};
  if (row < pass.outer)
    add_strided<N>(x + row * pass.length, lane * N, pass.length, lanes * N, 1, sum);
  float total = 0.0f;
  for (int n = 0; n < N; ++n) total += sum[n];
  total = warp_sum(total, lanes);
  if (lane == 0 && row < pass.outer) y[row] = total;
}

template <typename X, int N>
__global__ void __launch_bounds__(kThreads)
    sum_long_rows(const X* __restrict__ x, float* __restrict__ y, Pass pass) {
  __shared__ float scratch[kWarp];
  const auto block = static_cast<int>(blockIdx.x);
  const int64_t row = block / pass.parts;
  const int64_t begin = block % pass.parts * pass.chunk;
  const int64_t end = begin + pass.chunk < pass.length ? begin + pass.chunk : pass.length;
  const int64_t first = begin + static_cast<int64_t>(threadIdx.x) * N;
  float sum[N] = {};
  add_strided<N>(x + row * pass.length, first, end, kThreads * N, 1, sum);
  float total = 0.0f;
  for (int n = 0; n < N; ++n) total += sum[n];
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) y[blockIdx.x] = total;
}

template <typename X, int N>
__global__ void __launch_bounds__(kThreads, 4)  // left alone, ptxas spills for f16 on sm_80
    sum_columns_of(const X* __restrict__ x, float* __restrict__ y, Pass pass) {
  __shared__ float shared[N * kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  const int slots = kThreads / pass.width;
  const int piece = static_cast<int>(blockIdx.x) / pass.tiles;  // outer, part
  const int tile = static_cast<int>(blockIdx.x) % pass.tiles;
  const int64_t begin = piece % pass.parts * pass.chunk;
  const int64_t end = begin + pass.chunk < pass.length ? begin + pass.chunk : pass.length;
  const int64_t column = (int64_t{tile} * pass.width + thread % pass.width) * N;
  float sum[N] = {};
  if (column < pass.inner)
    add_strided<N>(x + piece / pass.parts * pass.length * pass.inner + column,
                   begin + thread / pass.width, end, slots, pass.inner, sum);
  sum_columns<N>(sum, pass.width, shared);
  if (thread < pass.width && column < pass.inner) store<N>(y + piece * pass.inner + column, sum);
}

template <typename X, int N>
void launch_pass(const Pass& pass, const X* x, float* y, cudaStream_t stream) {
  if (pass.inner > 1) {
    const auto blocks = blocks_for_all(pass.outer * pass.parts * pass.tiles, 1);
    launch(sum_columns_of<X, N>, {.grid = {blocks}, .block = {kThreads}}, stream, x, y, pass);
  } else if (pass.chunk > kLongRow) {
    const auto blocks = blocks_for_all(pass.outer * pass.parts, 1);
    launch(sum_long_rows<X, N>, {.grid = {blocks}, .block = {kThreads}}, stream, x, y, pass);
  } else {
    const int lanes = power_of_two(quotient_up(pass.length, N), kWarp);
    const auto blocks = blocks_for_all(pass.outer, kThreads / lanes);
    launch(sum_rows<X, N>, {.grid = {blocks}, .block = {kThreads}}, stream, x, y, pass, lanes);
  }
}

template <typename X>
void run_pass(const Pass& pass, const X* x, float* y, cudaStream_t stream) {
  constexpr int kPack = 16 / sizeof(X);
  if (pass.pack == 1)
    launch_pass<X, 1>(pass, x, y, stream);
  else
    launch_pass<X, kPack>(pass, x, y, stream);
}

// ---- The passes of a node --------------------------------------------------------------------
Pass rows_pass(Pass pass, int64_t blocks, bool split) {
  int64_t parts = 1;
  if (split && pass.length > kRowPart && pass.outer < blocks)
    parts = std::min(blocks / pass.outer, quotient_up(pass.length, kRowPart));
  pass.chunk = quotient_up(quotient_up(pass.length, parts), pass.pack) * pass.pack;
  pass.parts = parts == 1 ? 1 : static_cast<int>(quotient_up(pass.length, pass.chunk));
  return pass;
}

Pass columns_pass(Pass pass, int64_t blocks, bool split) {
  const int64_t columns = pass.inner / pass.pack;
  pass.width = power_of_two(columns, kWarp);
  pass.tiles = static_cast<int>(quotient_up(columns, pass.width));
  int64_t parts = 1;
  if (split && pass.length > kFewRows) {
    const int64_t most = quotient_up(pass.length, kThreads / pass.width * kRowsAThread);
    parts = std::clamp<int64_t>(blocks / (pass.outer * pass.tiles), 1, most);
  }
  // In one pass, few columns to a block, and more blocks; 4 packs are still whole sectors.
  for (; parts == 1 && pass.width > 4 && pass.outer * pass.tiles < blocks / 8; pass.width /= 2)
    pass.tiles = static_cast<int>(quotient_up(columns, pass.width / 2));
  pass.chunk = quotient_up(pass.length, parts);
  pass.parts = parts == 1 ? 1 : static_cast<int>(quotient_up(pass.length, pass.chunk));
  return pass;
}

// One pass, or two where the first one is split; of elements of `size` bytes.
void add_stage(std::vector<Pass>& passes, Pass stage, int64_t size, const Properties& device) {
  const int64_t blocks = int64_t{8} * device.multiprocessors;
  const bool rows = stage.inner == 1;
  const auto make = [&](Pass pass, int64_t bytes, bool split) {
    const int64_t pack = 16 / bytes;
    pass.pack = (rows ? pass.length : pass.inner) % pack == 0 ? static_cast<int>(pack) : 1;
    return rows ? rows_pass(pass, blocks, split) : columns_pass(pass, blocks, split);
  };
  if (stage.outer * stage.inner == 0) return;
  passes.push_back(make(stage, size, true));
  if (const int64_t parts = passes.back().parts; parts > 1)
    passes.push_back(
        make({.outer = stage.outer, .length = parts, .inner = stage.inner}, sizeof(float), false));
}

std::vector<Pass> passes_of(const Node& node, const Properties& device) {
  const Shape& shape = node.in(0).shape;
  std::vector<bool> reduced(kMaxRank, false);
  for (const int64_t axis : node.integers("axes")) reduced[static_cast<size_t>(axis)] = true;
  std::vector<Pass> passes;
  int64_t size = size_of(node.in(0).dtype);
  int64_t inner = 1;
  for (int axis = shape.rank() - 1; axis >= 0;) {
    int64_t length = 1;
    const bool is_reduced = reduced[static_cast<size_t>(axis)];
    for (; axis >= 0 && (reduced[static_cast<size_t>(axis)] == is_reduced || shape[axis] == 1);
         --axis)
      length *= shape[axis];
    int64_t outer = 1;
    for (int a = 0; a <= axis; ++a) outer *= shape[a];
    if (!is_reduced) inner *= length;
    if (!is_reduced || length == 1) continue;
    add_stage(passes, {.outer = outer, .length = length, .inner = inner}, size, device);
    size = sizeof(float);
  }
  if (passes.empty()) add_stage(passes, {.inner = shape.numel()}, size, device);  // a copy
  return passes;
}

std::string name_of_passes(const Node& node, const std::vector<Pass>& passes) {
  std::string name = cat("reduce_sum ", name_of(node.in(0).dtype));
  for (const Pass& p : passes) {
    name += cat(&p == &passes.front() ? ", " : ", then ", p.outer, "x", p.length, "x", p.inner);
    if (p.parts > 1) name += cat(" in ", p.parts, " parts");
  }
  return name;
}

template <typename X>
GpuKernel reduce_sum(const Node& node, const Operands& operands, const Context& context) {
  const std::vector<Pass> passes = passes_of(node, context.properties);
  int64_t between = 0;  // of two results in turn, in floats, 16-byte aligned
  for (size_t i = 0; i + 1 < passes.size(); ++i)
    between = std::max(between, quotient_up(passes[i].outputs(), 8) * 8);
  context.workspace->reserve(2 * between * size_of(DType::f32));
  const auto run = [passes, between, workspace = context.workspace, x = address<X>(operands.in[0]),
                    y = address<float>(operands.out[0])](cudaStream_t stream) {
    const float* from = nullptr;
    for (size_t i = 0; i < passes.size(); ++i) {
      float* to = y;
      if (i + 1 < passes.size()) to = workspace->template as<float>() + (i % 2 == 0 ? 0 : between);
      if (i == 0)
        run_pass(passes[i], x, to, stream);
      else
        run_pass(passes[i], from, to, stream);
      from = to;
    }
  };
  return {.name = name_of_passes(node, passes), .run = run};
}

}  // namespace

bool serves_reduce(const Node& node) {
  return is_gpu_float(node.in(0).dtype);
}

GpuKernel make_reduce(const Node& node, const Operands& operands, const Context& context) {
  if (node.out().numel() == 0) return nothing();
  return with_float(node.in(0).dtype,
                    [&](auto zero) { return reduce_sum<decltype(zero)>(node, operands, context); });
}

}  // namespace grimace::cuda
