#include "ir/ops/cubes.h"

namespace grimace::ops {

Cubes cubes_of(const Node& n, int video) {
  const Shape& shape = n.in(video).shape;
  const int64_t t = n.integer("tubelet");
  const int64_t p = n.integer("patch");
  return {shape[0], shape[2] / t, shape[3] / p, shape[4] / p, t, p};
}

TensorType target_type(const Node& n, int input) {
  const TensorType& video = n.in(input);
  n.require(is_float(video.dtype) && video.shape.rank() == 5 && video.shape[1] == 3,
            "video must be float [batch, 3, frames, height, width]; got ", video);
  const int64_t t = n.integer("tubelet");
  const int64_t p = n.integer("patch");
  n.require(t > 0 && p > 0 && video.shape[2] % t == 0 && video.shape[3] % p == 0 &&
                video.shape[4] % p == 0,
            "cubes of ", t, " frames and ", p, "x", p, " pixels do not tile ", video);
  const int64_t group = n.integer("group");
  n.require(group == 0 || (group > 0 && video.shape[2] % group == 0), "groups of ", group,
            " frames do not divide ", video);
  const Cubes cubes = cubes_of(n, input);
  n.require(!n.flag("normalise") || cubes.pixels() > 1, "a cube of one pixel cannot be normalised");
  int64_t count = cubes.tokens();
  if (n.num_inputs() > input + 1) {
    const TensorType& index = n.in(input + 1);
    n.require(
        index.dtype == DType::i32 && index.shape.rank() == 2 && index.shape[0] == video.shape[0],
        "index must be i32 [batch, tokens]; got ", index, " for ", video);
    count = index.shape[1];
  }
  return {video.dtype, {cubes.batch, count, 3 * cubes.pixels()}};
}

}  // namespace grimace::ops
