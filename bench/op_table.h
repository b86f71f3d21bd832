// The operations of one pre-training step of the full model with 8 clips, as rows of op_bench.
#pragma once

#include <string>
#include <vector>

#include "tests/op_cases.h"

namespace grimace::bench {

struct OpRow {
  std::string name;  // "op/linear/704x512x2048/bf16": products as [batch x] rows x inner x columns
  testing::OpCase op_case;
};

std::vector<OpRow> op_table();

}  // namespace grimace::bench
