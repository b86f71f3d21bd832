// The operations of one pre-training step of the full model with 8 clips, as rows of op_bench.
#pragma once

#include <string>
#include <vector>

#include "backends/backend.h"
#include "tests/op_cases.h"

namespace grimace::bench {

struct OpRow {
  std::string name;  // "op/linear{bias=true}/8x800x384,1536x384/bf16": attributes as in the IR,
                     // shapes of the first two inputs, element type of the first
  testing::OpCase op_case;
};

// From the graph that the backend runs: of the step in f32, and what the step in bf16 has besides.
// Operations that take one in a thousand of the step or more, and the longest of each op.
std::vector<OpRow> op_table(const Backend& backend);

}  // namespace grimace::bench
