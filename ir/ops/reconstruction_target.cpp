// What a masked autoencoder is to predict (spec 5.1, 5.2). From the ImageNet-normalised video
// [B,3,T,H,W]: pixels back in [0,1], cut into cubes [B,N,P] in raster order of tokens, inside a
// cube frame, row, column, channel; normalised per cube and channel; frames as differences to the
// first of their group (0: none). With an index [B,K] only those cubes: [B,K,P]. Fused.
#include <array>

#include "ir/ops/cubes.h"
#include "ir/ops/elementwise.h"
#include "ir/pixels.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  return {target_type(n, 0)};
}

// A literal per channel, as [3,1,1,1].
Value per_channel(Builder& b, const std::array<double, 3>& values, DType dtype) {
  std::vector<Value> parts;
  for (const double value : values) parts.push_back(b.full(value, {1, 1, 1, 1}, dtype));
  return b.concat(std::move(parts), 0);
}

// z = (v - mean) / (sqrt(unbiased var) + 1e-6) per cube and channel: x [B,N,pixels,3]. Values are
// first shifted by the cube's first pixel, which changes nothing but the rounding: a cube without
// contrast gives exact zeros instead of noise divided by 1e-6.
Value normalise(Builder& b, Value x) {
  const Value shifted = x - b.slice(x, 2, 0, 1);
  const Value centred = shifted - b.reduce_mean(shifted, {2}, true);
  const Value variance =
      b.reduce_sum(centred * centred, {2}, true) / static_cast<double>(x.dim(2) - 1);
  return centred / (b.sqrt(variance) + kCubeSigmaEps);
}

// Frames [B,G,g,rest]: the first of each group stays, the others become differences to it.
Value differences(Builder& b, Value frames) {
  const int64_t group = frames.dim(2);
  if (group == 1) return frames;
  const Value first = b.slice(frames, 2, 0, 1);
  return b.concat({first, b.slice(frames, 2, 1, group) - first}, 2);
}

Value frame_differences(Builder& b, Value x, const Cubes& c, int64_t group) {
  const int64_t frame = 3 * c.patch * c.patch;
  const std::vector<int64_t> shape = x.shape().to_vector();
  if (group == c.frames)  // a group is one cube's own frames
    return b.reshape(differences(b, b.reshape(x, {c.batch, c.tokens(), c.frames, frame})), shape);
  const int64_t space = c.rows * c.columns;
  const Value by_token = b.reshape(x, {c.batch, c.time, space, c.frames, frame});
  const Value by_frame = b.reshape(b.transpose(by_token, {0, 1, 3, 2, 4}),
                                   {c.batch, c.time * c.frames / group, group, space * frame});
  const Value changed =
      b.reshape(differences(b, by_frame), {c.batch, c.time, c.frames, space, frame});
  return b.reshape(b.transpose(changed, {0, 1, 3, 2, 4}), shape);
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const Cubes c = cubes_of(n, 0);
  const DType dtype = n.in(0).dtype;
  const Value video = n.input(0) * per_channel(b, kPixelStd<double>, dtype) +
                      per_channel(b, kPixelMean<double>, dtype);
  const Value split =
      b.reshape(video, {c.batch, 3, c.time, c.frames, c.rows, c.patch, c.columns, c.patch});
  Value x =
      b.reshape(b.transpose(split, {0, 2, 4, 6, 3, 5, 7, 1}), {c.batch, c.tokens(), c.pixels(), 3});
  if (n.flag("normalise")) x = normalise(b, x);
  x = b.reshape(x, {c.batch, c.tokens(), 3 * c.pixels()});
  if (n.integer("group") > 0) x = frame_differences(b, x, c, n.integer("group"));
  return {n.num_inputs() == 2 ? b.gather_rows(x, n.input(1)) : x};
}

}  // namespace

constinit const OpDef op_reconstruction_target{
    .name = "reconstruction_target",
    .min_inputs = 1,
    .max_inputs = 2,
    .attrs = {{kTubelet, kPatch, kNormalise, kGroup}},
    .infer = infer,
    .flops = [](const Node& n) { return 8 * n.out().numel(); },
    .decompose = decompose,
};

}  // namespace grimace
