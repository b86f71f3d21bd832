// The cubes a video is cut into, as reconstruction_target and reconstruction_loss read them from
// their attributes `tubelet`, `patch`, `normalise` and `group`.
#pragma once

#include "ir/graph.h"

namespace grimace::ops {

constexpr AttrSpec kTubelet{"tubelet", AttrKind::integer};
constexpr AttrSpec kPatch{"patch", AttrKind::integer};
constexpr AttrSpec kNormalise{"normalise", AttrKind::boolean, "true"};
constexpr AttrSpec kGroup{"group", AttrKind::integer, "0"};

struct Cubes {
  int64_t batch, time, rows, columns, frames, patch;  // of the grid; of one cube
  int64_t tokens() const { return time * rows * columns; }
  int64_t pixels() const { return frames * patch * patch; }
};

// Of the node's input `video` [B,3,T,H,W].
Cubes cubes_of(const Node& n, int video);

// The type of the target made of input `video` and, if there is one more, its index [B,K] of
// cubes: [B,K,P]. Error where they or the attributes do not fit.
TensorType target_type(const Node& n, int video);

}  // namespace grimace::ops
