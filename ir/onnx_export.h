// A graph as an ONNX model (https://onnx.ai, operator set 17), for inference elsewhere: weights as
// initializers, ops as ONNX has them, fused ones as their decompositions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "ir/graph.h"

namespace grimace {

constexpr int64_t kOnnxOperatorSet = 17;
constexpr int64_t kMaxOnnxBytes = (int64_t{1} << 31) - 1;  // of one Protobuf message

struct OnnxExport {
  // The values of a param in its own type, row-major; good until to_onnx returns.
  std::function<std::span<const std::byte>(Value param)> weights = {};
  // The same graph for one clip more. Where its sizes differ, they become multiples of a free
  // dimension "batch". Null: sizes are as they are.
  const Graph* one_more = nullptr;
  std::map<std::string, std::string> metadata = {};  // for whoever runs it: names of classes
};

// The bytes of the file. Inputs, params and outputs keep their names. Error for a graph with
// states or updates, 16-bit floats, an op that inference does not need, or more than kMaxOnnxBytes.
std::string to_onnx(const Graph& graph, const OnnxExport& what);

}  // namespace grimace
