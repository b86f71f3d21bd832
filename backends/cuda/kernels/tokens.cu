// Ops on token numbers. Numbers are data: one out of range, or a mask with another count, is a
// fault, and nothing is read or written there.
// gather_rows: one word (16 bytes where rows allow) of the result per step.
// scatter_rows: a warp per row of the result and strip of columns finds its tokens by ballots over
// the indices, 32 at a time, and adds their rows in rising order in f32: no atomics, one order.
// mask_indices: a warp per row of the mask, ballots and counts of the bits below.
// one_hot: one element per step.
#include "backends/cuda/kernels/common.h"

namespace grimace::cuda {
namespace {

constexpr int kWarps = kThreads / kWarp;

// Where a kernel reports bad data; the flag is known when it runs.
struct Fault {
  int number = 0;
  int* flag = nullptr;
  __device__ void report() const { report_fault(flag, number); }
};

// Starts `kernel` with arguments that have a `fault`, of which this is the message.
template <typename Arguments>
GpuKernel with_fault(const std::string& what, void (*kernel)(Arguments), const Geometry& geometry,
                     Arguments arguments, const Context& context, const std::string& message) {
  arguments.fault.number = context.faults->add(message);
  return {.name = cat(what, ", ", to_string(geometry)),
          .run = [=, faults = context.faults](cudaStream_t stream) {
            Arguments with_flag = arguments;
            with_flag.fault.flag = faults->flag();
            launch(kernel, geometry, stream, with_flag);
          }};
}

std::string out_of_range(const Node& node, std::string_view what, int64_t count) {
  return cat(node.describe(), ": ", what, " is outside 0..", count - 1);
}

// ---- gather_rows ---------------------------------------------------------------------------
template <typename W>
struct Gather {
  const W* from;
  const int32_t* index;
  W* to;
  FastDivide cols, per_batch;
  int64_t rows;
  int64_t table;  // words from the table of one clip to the next; 0: shared
  int64_t count;
  Fault fault;
};

template <typename W>
__global__ void __launch_bounds__(kThreads) gather_rows(Gather<W> g) {
  read_then_write<kUnroll>(
      g.count,
      [&](int64_t i) {
        const uint32_t place = g.cols(static_cast<uint32_t>(i));
        const uint32_t col = static_cast<uint32_t>(i) - place * g.cols.divisor;
        const int64_t row = g.index[place];
        if (row >= 0 && row < g.rows)
          return g.from[g.per_batch(place) * g.table + row * g.cols.divisor + col];
        g.fault.report();
        return W{};
      },
      [&](int64_t i, W word) { g.to[i] = word; });
}

GpuKernel make_gather(const Node& node, const Operands& operands, const Context& context) {
  const Shape& table = node.in(0).shape;
  const int64_t row_bytes = table[-1] * size_of(node.in(0).dtype);
  const int64_t bytes = common_word({row_bytes});
  return with_wide_word(bytes, [&](auto word) {
    using W = decltype(word);
    const int64_t cols = row_bytes / bytes;
    const int64_t places = node.in(1).numel();
    node.require(places * cols <= kMostSteps, "a result of ", node.out(),
                 " is too large for the cuda backend");
    const Gather<W> g{.from = address<W>(operands.in[0]),
                      .index = address<int32_t>(operands.in[1]),
                      .to = address<W>(operands.out[0]),
                      .cols = FastDivide(cols),
                      .per_batch = FastDivide(node.in(1).shape[1]),
                      .rows = table[-2],
                      .table = table.rank() == 2 ? 0 : table[-2] * cols,
                      .count = places * cols,
                      .fault = {}};
    return with_fault(
        cat("gather_rows ", node.out().dtype, g.table == 0 ? ", shared" : "", ", words of ", bytes),
        gather_rows<W>, threads_for(context, quotient_up(g.count, kUnroll)), g, context,
        out_of_range(node, "an index", table[-2]));
  });
}

// ---- scatter_rows --------------------------------------------------------------------------
// One table [rows, cols] for each of `tables` runs of `per_table` tokens; a shared one has a single
// run, of all clips.
template <typename T>
struct Scatter {
  const T* x;
  const int32_t* index;
  T* y;
  int64_t tables, per_table, rows, cols;
  int64_t strips;  // of the columns that a warp adds
  Fault fault;
};

// A warp adds so many vectors of V columns per lane.
constexpr int vectors_per_lane(int V) {
  return V >= 8 ? 2 : 4;
}
template <typename T, int V>
__global__ void __launch_bounds__(kThreads) scatter_rows(Scatter<T> s) {
  constexpr int kVectors = vectors_per_lane(V);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t warp = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int64_t tasks = s.tables * s.rows * s.strips;
  for (int64_t task = warp; task < tasks; task += int64_t{gridDim.x} * kWarps) {
    const int64_t place = task / s.strips;  // of the row among all tables'
    const int64_t col = ((task - place * s.strips) * kVectors * kWarp + lane) * V;
    const int64_t table = place / s.rows;
    const int64_t row = place - table * s.rows;
    const int32_t* index = s.index + table * s.per_table;
    const T* x = s.x + table * s.per_table * s.cols;
    float sum[kVectors][V] = {};
    for (int64_t begin = 0; begin < s.per_table; begin += kWarp) {
      int64_t mine = row + 1;
      if (begin + lane < s.per_table) {
        mine = index[begin + lane];
        if (mine < 0 || mine >= s.rows) s.fault.report();
      }
      for (unsigned left = __ballot_sync(kWholeWarp, mine == row); left != 0; left &= left - 1) {
        const T* from = x + (begin + __ffs(static_cast<int>(left)) - 1) * s.cols;
#pragma unroll
        for (int m = 0; m < kVectors; ++m) {
          const int64_t at = col + m * (kWarp * V);
          Vec<T, V> values{};
          if (at < s.cols) values = load<V>(from + at);
#pragma unroll
          for (int j = 0; j < V; ++j) sum[m][j] += to_float(values.v[j]);
        }
      }
    }
#pragma unroll
    for (int m = 0; m < kVectors; ++m) {
      const int64_t at = col + m * (kWarp * V);
      if (at < s.cols) store<V>(s.y + place * s.cols + at, narrow_all<T, V>(sum[m]));
    }
  }
}

GpuKernel make_scatter(const Node& node, const Operands& operands, const Context& context) {
  const Shape& shape = node.in(0).shape;
  const bool shared = node.flag("shared");
  const int64_t rows = node.integer("rows");
  return with_float(node.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    constexpr int kVector = 16 / static_cast<int>(sizeof(T));
    const int vector = shape[2] % kVector == 0 ? kVector : 1;
    const int64_t strip = int64_t{kWarp} * vector * vectors_per_lane(vector);
    const Scatter<T> s{.x = address<T>(operands.in[0]),
                       .index = address<int32_t>(operands.in[1]),
                       .y = address<T>(operands.out[0]),
                       .tables = shared ? 1 : shape[0],
                       .per_table = shared ? shape[0] * shape[1] : shape[1],
                       .rows = rows,
                       .cols = shape[2],
                       .strips = quotient_up(shape[2], strip),
                       .fault = {}};
    return with_fault(
        cat("scatter_rows ", node.out().dtype, shared ? ", shared, " : ", ", vector, " wide"),
        vector == 1 ? scatter_rows<T, 1> : scatter_rows<T, kVector>,
        threads_for(context, s.tables * s.rows * s.strips * kWarp), s, context,
        out_of_range(node, "an index", rows));
  });
}

// ---- mask_indices --------------------------------------------------------------------------
struct MaskIndices {
  const uint8_t* mask;
  int32_t* index;
  int64_t rows, tokens, count;
  int value;
  Fault fault;
};

__global__ void __launch_bounds__(kThreads) mask_indices(MaskIndices m) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t warp = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  for (int64_t row = warp; row < m.rows; row += int64_t{gridDim.x} * kWarps) {
    int64_t found = 0;
    for (int64_t begin = 0; begin < m.tokens; begin += kWarp) {
      const int64_t token = begin + lane;
      const bool mine = token < m.tokens && m.mask[row * m.tokens + token] == m.value;
      const unsigned all = __ballot_sync(kWholeWarp, mine);
      const int64_t at = found + __popc(all & ((1u << lane) - 1));
      if (mine && at < m.count) m.index[row * m.count + at] = static_cast<int32_t>(token);
      found += __popc(all);
    }
    if (lane == 0 && found != m.count) m.fault.report();
  }
}

GpuKernel make_mask_indices(const Node& node, const Operands& operands, const Context& context) {
  const int64_t value = node.integer("value");
  const MaskIndices m{.mask = address<uint8_t>(operands.in[0]),
                      .index = address<int32_t>(operands.out[0]),
                      .rows = node.in(0).shape[0],
                      .tokens = node.in(0).shape[1],
                      .count = node.integer("count"),
                      .value = value >= 0 && value <= 255 ? static_cast<int>(value) : -1,
                      .fault = {}};
  if (m.rows == 0) return nothing();
  return with_fault("mask_indices", mask_indices, threads_for(context, m.rows * kWarp), m, context,
                    cat(node.describe(), ": a mask row has another number of tokens of value ",
                        value, "; the graph was built for ", m.count));
}

// ---- one_hot -------------------------------------------------------------------------------
template <typename T>
struct OneHot {
  const int32_t* labels;
  T* y;
  int64_t count, classes;
  Fault fault;
};

template <typename T>
__global__ void __launch_bounds__(kThreads) one_hot(OneHot<T> h) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < h.count; i += stride) {
    const int64_t place = i / h.classes;
    const int64_t label = h.labels[place];
    h.y[i] = from_float<T>(label == i - place * h.classes ? 1.0f : 0.0f);
    if (label < 0 || label >= h.classes) h.fault.report();
  }
}

GpuKernel make_one_hot(const Node& node, const Operands& operands, const Context& context) {
  return with_float(node.out().dtype, [&](auto zero) {
    using T = decltype(zero);
    const OneHot<T> h{.labels = address<int32_t>(operands.in[0]),
                      .y = address<T>(operands.out[0]),
                      .count = node.out().numel(),
                      .classes = node.integer("classes"),
                      .fault = {}};
    return with_fault(cat("one_hot ", node.out().dtype), one_hot<T>, threads_for(context, h.count),
                      h, context, out_of_range(node, "a label", h.classes));
  });
}

}  // namespace

bool serves_tokens(const Node& node) {
  if (node.is(op_scatter_rows)) return is_gpu_float(node.in(0).dtype);
  return !node.is(op_one_hot) || is_gpu_float(node.out().dtype);
}

GpuKernel make_tokens(const Node& node, const Operands& operands, const Context& context) {
  // A mask must have its count of nothing, too.
  if (node.is(op_mask_indices)) return make_mask_indices(node, operands, context);
  if (node.out().numel() == 0) return nothing();
  if (node.is(op_gather_rows)) return make_gather(node, operands, context);
  if (node.is(op_scatter_rows)) return make_scatter(node, operands, context);
  return make_one_hot(node, operands, context);
}

}  // namespace grimace::cuda
