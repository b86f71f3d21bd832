// Index arithmetic shared by gather_rows, scatter_rows and one_hot.
#pragma once

#include "ir/ops/layout.h"

namespace grimace::ops {

// Throws RunError when an index lies outside 0..rows-1: indices are data, checked when run.
inline int64_t checked_row(const Node& n, int32_t index, int64_t rows,
                           std::string_view what = "index") {
  if (index < 0 || index >= rows) [[unlikely]]
    throw RunError(cat(n.describe(), ": ", what, " ", index, " is outside 0..", rows - 1));
  return index;
}

}  // namespace grimace::ops
