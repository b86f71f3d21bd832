// y uniform in [0, 1), 24 bits, a pure function of (seed, step, site, element): Philox with key
// seed and counter (site, step, element / 4). seed and step are i64 scalars.
#include "ir/ops/elementwise.h"
#include "ir/philox.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const TensorType scalar{DType::i64, {}};
  n.require(n.in(0) == scalar && n.in(1) == scalar, "seed and step must be ", scalar, "; got ",
            n.in(0), " and ", n.in(1));
  n.require(n.integer("site") >= 0 && n.integer("site") < (1 << 24),
            "site must lie in 0..2^24-1; got ", n.integer("site"));
  n.require(is_float(n.dtype("dtype")), "dtype must be a float; got ", n.dtype("dtype"));
  return {{n.dtype("dtype"), Shape(n.integers("shape"))}};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const auto seed = static_cast<uint64_t>(in[0].as<int64_t>()[0]);
  const auto step = static_cast<uint64_t>(in[1].as<int64_t>()[0]);
  const uint64_t high = (static_cast<uint64_t>(n.integer("site")) << 40) ^ step;
  with_float(n.out().dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto y = out[0].as<T>();
    for (size_t i = 0; i < y.size(); ++i)
      y[i] = static_cast<T>(philox(seed, high, i / 4)[i % 4] >> 8) * T(0x1.0p-24);
  });
}

}  // namespace

constinit const OpDef op_random_uniform{
    .name = "random_uniform",
    .min_inputs = 2,
    .max_inputs = 2,
    .attrs = {{{"site", AttrKind::integer},
               {"shape", AttrKind::integers, "[]"},
               {"dtype", AttrKind::dtype, "f32"}}},
    .infer = infer,
    .reference = reference,
};

}  // namespace grimace
