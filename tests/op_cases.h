// Every op over shapes that matter (size 1, odd, empty, rank 1 to 5, broadcasting), listed once:
// gradient checks, decompositions, the kernels of every backend and benches loop over these cases.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/interpret.h"
#include "ir/op_def.h"

namespace grimace::testing {

// One input and how its elements are drawn.
struct InputSpec {
  TensorType type;
  // Floats are uniform in [low, high), integers in low..high-1, bools are coins.
  double low = -2.0;
  double high = 2.0;
  // A mask: exactly so many ones per row, the rest zeros. -1: not a mask.
  int64_t ones = -1;
  bool differentiable = true;  // false: by the op's definition no gradient flows here
};

// How far a kernel in f32 may be from the reference kernel in f64 on the same numbers: the largest
// difference, relative to the largest magnitude in the result.
struct Tolerance {
  double value = 0.0;
  std::string_view why;
  double in_16_bit = value;  // where bf16 is multiplied, for ops that round on their way
};

struct OpCase {
  const OpDef* op = nullptr;
  std::vector<InputSpec> inputs;
  std::vector<NamedAttr> attrs;
  Tolerance tolerance;

  // "slice(f32[2x5]) {axis=1, begin=0, end=2}"
  std::string name() const;
  // Whether a bf16 or f16 appears: such a case is a step function, without a numeric gradient.
  bool has_16_bit() const;
};

std::span<const OpCase> op_cases();

// The case as a graph: inputs "in0", "in1", ..., outputs "out0", .... With `real` f64 every f32
// becomes f64; a case with 16-bit floats stays as it is.
std::unique_ptr<Graph> build(const OpCase& op_case, DType real = DType::f32);

// A function of (spec, seed) alone. The numbers are drawn as f32 and then widened, so the same seed
// gives the same numbers in f32 and in f64.
Buffer random_input(const InputSpec& spec, uint64_t seed, DType real = DType::f32);
std::map<std::string, Buffer> random_inputs(const OpCase& op_case, uint64_t seed,
                                            DType real = DType::f32);
// For any graph, all its inputs but the constants: floats in [-1, 1), which makes signs matter;
// integers and bools 0 or 1, which are row numbers of any tensor with two rows.
std::map<std::string, Buffer> random_inputs(const Graph& graph, uint64_t seed = 7);

// Every element of any type as a double.
std::vector<double> numbers_of(ConstView view);
// The largest difference relative to the largest expected magnitude; infinite where shapes differ
// or only one of the two is finite.
double relative_max_error(ConstView expected, ConstView actual);

}  // namespace grimace::testing
