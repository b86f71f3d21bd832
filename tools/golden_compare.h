// How far computed tensors may be from stored ones, and how that is measured.
#pragma once

#include "tools/golden.h"

namespace grimace {

// Limits by precision. float32 and bf16 have published values; f64 is limited by storage in f32.
struct GoldenLimits {
  double output;  // outputs, targets, intermediates
  double loss;
  double gradient;        // one tensor
  double gradients;       // all as one vector
  double small_share;     // a gradient whose norm is below this share of the total ...
  double small_absolute;  // ... is compared absolutely, with this times the total
  double constant;        // position tables
  double parameter;       // after optimizer steps, largest single error
  double flat;            // targets of cubes without contrast, largest single error
};
GoldenLimits golden_limits(Precision precision, const std::string& kind);

// Values as doubles, whatever the tensors' types.
struct Difference {
  double error = 0.0;    // L2 norm of the difference
  double norm = 0.0;     // L2 norm of the expected values
  double largest = 0.0;  // largest single difference
};
// Error naming the tensor when the shapes differ.
Difference difference(const std::string& name, ConstView expected, ConstView computed);

// Relative L2; a tensor of exact zeros must be exactly zero.
GoldenRow compare(const std::string& name, ConstView expected, ConstView computed, double limit);

// One row per gradient, and "all gradients" as one vector.
struct NamedPair {
  std::string name;
  Tensor expected;
  Tensor computed;
};
std::vector<GoldenRow> compare_gradients(const std::vector<NamedPair>& pairs,
                                         const GoldenLimits& limits);

}  // namespace grimace
