// reduce_sum over any axes. Neighbouring axes of one kind merge, and every run of reduced axes is
// one stage [outer, length, inner] -> [outer, inner], last one first. Long sums are made of blocks:
// f32 inside a block, so that sums of millions of elements keep about 1e-7 relative. Parts are
// fixed by the shape, so the number of threads does not change a result.
#include <cstring>
#include <vector>

#include "backends/cpu/kernels.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"

namespace grimace::cpu {
namespace {

constexpr int64_t kBlock = 1024;        // elements of a row added up in f32
constexpr int64_t kRowPart = 64 << 10;  // elements of a row summed by one thread
constexpr int64_t kRowBlock = 64;       // rows added up before they join a part's column sums
constexpr int64_t kColumns = 256;       // columns summed together
constexpr int64_t kNarrow = 32;         // fewer columns than this are summed several rows at a time

struct Stage {
  int64_t outer = 1, length = 1, inner = 1;

  // Pieces of `length` that different threads may sum.
  int64_t parts() const {
    if (inner == 1) return std::max<int64_t>(1, (length + kRowPart - 1) / kRowPart);
    return outer >= 16 ? 1 : std::clamp<int64_t>(length / 256, 1, 16);
  }
  int64_t result_size() const { return outer * inner; }
};

std::vector<Stage> stages_of(const Node& node) {
  const Shape& shape = node.in(0).shape;
  std::vector<bool> reduced(kMaxRank, false);
  for (const int64_t axis : node.integers("axes")) reduced[static_cast<size_t>(axis)] = true;
  std::vector<Stage> stages;
  int64_t inner = 1;
  for (int axis = shape.rank() - 1; axis >= 0;) {
    int64_t length = 1;
    const bool is_reduced = reduced[static_cast<size_t>(axis)];
    for (; axis >= 0 && (reduced[static_cast<size_t>(axis)] == is_reduced || shape[axis] == 1);
         --axis)
      length *= shape[axis];
    int64_t outer = 1;
    for (int a = 0; a <= axis; ++a) outer *= shape[a];
    if (is_reduced && length != 1) stages.push_back({outer, length, inner});
    if (!is_reduced) inner *= length;
  }
  return stages;
}

template <typename X>
inline float row_sum(const X* x, int64_t count) {
  if (count <= kBlock) return lane_sum(count, [x](int64_t i) { return static_cast<float>(x[i]); });
  double sum = 0.0;
  for (int64_t i = 0; i < count; i += kBlock) {
    const X* block = x + i;
    sum += lane_sum(std::min(kBlock, count - i),
                    [block](int64_t j) { return static_cast<float>(block[j]); });
  }
  return static_cast<float>(sum);
}

// y[c] = sum of x[r, c] over `rows`, for at most kColumns columns of rows `stride` apart.
template <typename X>
inline void column_sum(const X* x, int64_t rows, int64_t stride, int64_t cols, float* y) {
  float total[kColumns] = {};
  for (int64_t first = 0; first < rows; first += kRowBlock) {
    float block[kColumns] = {};
    const int64_t last = std::min(first + kRowBlock, rows);
    for (int64_t r = first; r < last; ++r) {
      const X* row = x + r * stride;
#pragma GCC ivdep
      for (int64_t c = 0; c < cols; ++c) block[c] += static_cast<float>(row[c]);
    }
    for (int64_t c = 0; c < cols; ++c) total[c] += block[c];
  }
  std::copy(total, total + cols, y);
}

// The same for few columns, dense: as many rows as fit are taken as one wide row.
template <typename X>
inline void narrow_sum(const X* x, int64_t rows, int64_t cols, float* y) {
  const int64_t at_once = kColumns / cols;
  const int64_t wide_rows = rows / at_once;
  float wide[kColumns] = {};
  column_sum(x, wide_rows, at_once * cols, at_once * cols, wide);
  std::fill(y, y + cols, 0.0f);
  for (int64_t i = 0; i < at_once; ++i)
    for (int64_t c = 0; c < cols; ++c) y[c] += wide[i * cols + c];
  for (int64_t r = wide_rows * at_once; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) y[c] += static_cast<float>(x[r * cols + c]);
}

// One part of one outer index: the sums of its piece of `length`, [inner].
template <typename X>
inline void part_sum(const Stage& s, const X* x, int64_t rows, float* y) {
  if (s.inner == 1) {
    *y = row_sum(x, rows);
  } else if (s.inner < kNarrow) {
    narrow_sum(x, rows, s.inner, y);
  } else {
    for (int64_t c = 0; c < s.inner; c += kColumns)
      column_sum(x + c, rows, s.inner, std::min(kColumns, s.inner - c), y + c);
  }
}

// partial: scratch [outer, parts, inner], unused with one part.
template <typename X>
void run_stage(const Context& cpu, const Stage& s, const X* x, float* y, float* partial) {
  const int64_t parts = s.parts();
  float* sums = parts == 1 ? y : partial;
  const int64_t grain = grain_rows(s.length / parts * s.inner);
  parallel_for(cpu, s.outer * parts, grain, [=](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t first = s.length * (item % parts) / parts;
      const int64_t last = s.length * (item % parts + 1) / parts;
      part_sum(s, x + (item / parts * s.length + first) * s.inner, last - first,
               sums + item * s.inner);
    }
  });
  if (parts == 1) return;
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t c = 0; c < s.inner; ++c) {
      double sum = 0.0;
      for (int64_t p = 0; p < parts; ++p) sum += partial[(o * parts + p) * s.inner + c];
      y[o * s.inner + c] = static_cast<float>(sum);
    }
}

// X: what is summed, f32 or bf16; sums are f32.
template <typename X>
Kernel reduce_sum(const Node& node, const Operands& operands, const Context& cpu) {
  const std::vector<Stage> stages = stages_of(node);
  const auto x = operands.in[0].as<X>();
  const auto y = operands.out[0].as<float>();
  if (x.empty()) return [y] { std::fill(y.begin(), y.end(), 0.0f); };
  if (stages.empty())
    return [x, y] {
      std::transform(x.begin(), x.end(), y.begin(), [](X v) { return static_cast<float>(v); });
    };
  // The workspace holds two intermediate results, used in turn, and the partial sums.
  int64_t between = 0;
  int64_t partial = 0;
  for (const Stage& s : stages) {
    if (&s != &stages.back()) between = std::max(between, s.result_size());
    if (s.parts() > 1) partial = std::max(partial, s.result_size() * s.parts());
  }
  cpu.workspace->reserve((2 * between + partial) * size_of(DType::f32));
  return [cpu, stages, x, y, between] {
    auto* scratch = cpu.workspace->as<float>();
    const float* from = nullptr;
    for (size_t i = 0; i < stages.size(); ++i) {
      float* to = i + 1 == stages.size() ? y.data() : scratch + (i % 2 == 0 ? 0 : between);
      if (i == 0)
        run_stage(cpu, stages[i], x.data(), to, scratch + 2 * between);
      else
        run_stage(cpu, stages[i], from, to, scratch + 2 * between);
      from = to;
    }
  };
}

}  // namespace

Kernel make_reduce_sum(const Node& node, const Operands& operands, const Context& cpu) {
  return node.in(0).dtype == DType::f32 ? reduce_sum<float>(node, operands, cpu)
                                        : reduce_sum<bf16>(node, operands, cpu);
}

}  // namespace grimace::cpu
