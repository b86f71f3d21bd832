// gather_rows copies rows by index, scatter_rows adds rows at an index. Indices are data: checked
// before anything is written. scatter adds in rising order of rows whatever the split, which is by
// clip, or by columns where one table takes the rows of all clips.
#include "ir/ops/rows.h"

#include <cstring>

#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"

namespace grimace::cpu {
namespace {

void check_rows(const Node& node, std::span<const int32_t> index, int64_t rows) {
  for (const int32_t i : index) ops::checked_row(node, i, rows);
}

struct Scatter {
  const float* x;
  const int32_t* index;
  float* y;
  int64_t per_batch, rows, cols;

  // Columns [begin, end) of the rows of one clip, into a table of `rows` rows.
  void add(int64_t batch, float* table, int64_t begin, int64_t end) const {
    for (int64_t k = 0; k < per_batch; ++k) {
      const float* from = x + (batch * per_batch + k) * cols;
      float* to = table + index[batch * per_batch + k] * cols;
#pragma GCC ivdep
      for (int64_t c = begin; c < end; ++c) to[c] += from[c];
    }
  }
};

}  // namespace

Kernel make_gather_rows(const Node& node, const Operands& operands, const Context& cpu) {
  const Shape& table = node.in(0).shape;
  const bool shared = table.rank() == 2;
  const int64_t size = table[-1] * size_of(node.in(0).dtype);
  return [cpu, &node, shared, size, rows = table[-2], per_batch = node.in(1).shape[1],
          index = operands.in[1].as<int32_t>(),
          from = static_cast<const std::byte*>(operands.in[0].data),
          to = static_cast<std::byte*>(operands.out[0].data)] {
    check_rows(node, index, rows);
    parallel_for(cpu, static_cast<int64_t>(index.size()), grain_rows(size / 4),
                 [=](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t first = shared ? 0 : i / per_batch * rows;
                     const int64_t row = first + index[static_cast<size_t>(i)];
                     std::memcpy(to + i * size, from + row * size, static_cast<size_t>(size));
                   }
                 });
  };
}

Kernel make_scatter_rows(const Node& node, const Operands& operands, const Context& cpu) {
  const Scatter s{.x = operands.in[0].as<float>().data(),
                  .index = operands.in[1].as<int32_t>().data(),
                  .y = operands.out[0].as<float>().data(),
                  .per_batch = node.in(0).shape[1],
                  .rows = node.integer("rows"),
                  .cols = node.in(0).shape[2]};
  const int64_t batch = node.in(0).shape[0];
  if (node.flag("shared"))
    return [cpu, &node, s, batch, index = operands.in[1].as<int32_t>()] {
      check_rows(node, index, s.rows);
      parallel_for(cpu, s.cols, 64, [=](int64_t begin, int64_t end) {
        for (int64_t row = 0; row < s.rows; ++row)
          std::fill(s.y + row * s.cols + begin, s.y + row * s.cols + end, 0.0f);
        for (int64_t b = 0; b < batch; ++b) s.add(b, s.y, begin, end);
      });
    };
  return [cpu, &node, s, batch, index = operands.in[1].as<int32_t>()] {
    check_rows(node, index, s.rows);
    const int64_t table = s.rows * s.cols;
    parallel_for(cpu, batch, grain_rows(table), [=](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        std::fill(s.y + b * table, s.y + (b + 1) * table, 0.0f);
        s.add(b, s.y + b * table, 0, s.cols);
      }
    });
  };
}

}  // namespace grimace::cpu
