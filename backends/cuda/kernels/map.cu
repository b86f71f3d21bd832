// How a map is launched: its loop nest, the width of its vectors, its pieces.
#include "backends/cuda/kernels/map.h"

#include "ir/ops/elementwise.h"

namespace grimace::cuda {
namespace {

constexpr size_t kResult = 3;

// Of a, b, c and y; those that f lacks stand still.
Loops<4> loops_of(const MapTypes& types, const Node& node) {
  const Shape& out = node.out().shape;
  std::array<std::array<int64_t, kMaxRank>, 4> strides{};
  for (int k = 0; k < types.inputs; ++k)
    strides[static_cast<size_t>(k)] = ops::broadcast_strides(node.in(k).shape, out);
  strides[kResult] = out.strides();
  return collapse<4>(out, strides);
}

Walk<3> walk_of(const Loops<4>& loops) {
  Loops<3> inputs;
  inputs.rank = loops.rank;
  inputs.dims = loops.dims;
  for (size_t k = 0; k < 3; ++k) inputs.strides[k] = loops.strides[k];
  return Walk<3>(inputs);
}

}  // namespace

MapPlan plan_map(const MapTypes& types, const Node& node, const Operands& operands,
                 const Context& context) {
  Loops<4> loops = loops_of(types, node);
  MapPlan plan;
  plan.flat = loops.rank == 1;
  plan.vector = plan.flat || loops.cols() % types.vector == 0 ? types.vector : 1;
  const int unroll = !plan.flat && plan.vector == 1 ? kUnroll : types.unroll;

  MapArguments all;
  all.out = operands.out[0].data;
  for (size_t k = 0; k < static_cast<size_t>(types.inputs); ++k) {
    all.in[k] = operands.in[k].data;
    all.varies[k] = loops.step(k) != 0;
  }
  const auto add = [&](const MapArguments& m) {
    const int64_t vectors = quotient_up(m.count, plan.vector);
    plan.launches.emplace_back(threads_for(context, quotient_up(vectors, unroll)), m);
  };
  if (plan.flat) {
    all.count = loops.count();
    add(all);
  } else {
    const auto last = static_cast<size_t>(loops.rank - 1);
    loops.dims[last] /= plan.vector;
    for (auto& of : loops.strides) of[last] *= plan.vector;
    for (const Piece<4>& piece : pieces(loops)) {
      MapArguments m = all;
      m.walk = walk_of(piece.loops);
      m.count = piece.loops.count() * plan.vector;
      for (size_t k = 0; k < static_cast<size_t>(types.inputs); ++k)
        m.in[k] = static_cast<const std::byte*>(m.in[k]) + piece.begin[k] * types.sizes[k];
      m.out = static_cast<std::byte*>(m.out) + piece.begin[kResult] * types.sizes[kResult];
      add(m);
    }
  }
  plan.name = cat(plan.flat ? "flat" : cat("rank ", loops.rank), ", ", plan.vector, " wide, ",
                  to_string(plan.launches.front().first));
  return plan;
}

}  // namespace grimace::cuda
