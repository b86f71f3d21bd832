// Values as strided views: what a chain of reshape, transpose and slice reads, seen from the tensor
// at its beginning. Passes use it to recognise layouts however a model spelled them.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace grimace {

struct StridedView {
  Value base;
  int64_t offset = 0;  // in elements of the base, as strides
  std::vector<int64_t> dims;
  std::vector<int64_t> strides;
  double scale = 1.0;  // literals that multiplied the whole of it on the way
};

// Goes back as far as every step is such a view, 64 steps at most; the value itself is its own
// view. Products with a literal are passed only where `through_scale`.
StridedView strided_view(Value v, bool through_scale);

}  // namespace grimace
