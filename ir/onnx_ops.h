// Every op that inference needs, in the ops of ONNX (operator set 17).
#pragma once

#include <functional>

#include "ir/onnx_writer.h"

namespace grimace {

// One node on its way: what its values are called and which of their sizes follow the batch.
struct OnnxNode {
  OnnxWriter& out;
  const Node& node;
  std::vector<std::string> inputs;
  std::string result;                                 // of result 0, the only one that is read
  std::function<std::vector<OnnxDim>(Value)> dims{};  // of any value

  onnx::NodeProto& emit(std::string_view op, const OnnxWriter::Names& from) const {
    return out.node(op, from, result);
  }
  // A step before the last, called after it.
  std::string emit_before(std::string_view op, const OnnxWriter::Names& from,
                          std::string_view what) const {
    const std::string name = out.derived(result, what);
    out.node(op, from, name);
    return name;
  }
};

// Whether the node can be written as it is; a fused op that cannot is decomposed first.
bool onnx_has(const Node& node);
void write_onnx(const OnnxNode& node);

}  // namespace grimace
