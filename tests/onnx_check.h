// Reads an exported ONNX file back and says what is wrong with its structure.
#pragma once

#include <set>
#include <string>

#include "ir/error.h"
#include "onnx.pb.h"

namespace grimace::testing {

inline onnx::ModelProto parse_onnx(const std::string& bytes) {
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) throw Error("these bytes are no ONNX model");
  return model;
}

inline int64_t onnx_element_bytes(int32_t type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
      return 4;
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::DOUBLE:
      return 8;
    default:
      return 1;
  }
}

// Empty when every name is defined once and before its use, every tensor has the bytes its shape
// needs, and every output is there.
inline std::string onnx_fault(const onnx::ModelProto& model) {
  std::set<std::string> known;
  const onnx::GraphProto& graph = model.graph();
  for (const auto& input : graph.input())
    if (!known.insert(input.name()).second) return input.name() + " is there twice";
  for (const auto& tensor : graph.initializer()) {
    if (!known.insert(tensor.name()).second) return tensor.name() + " is there twice";
    int64_t bytes = onnx_element_bytes(tensor.data_type());
    for (const int64_t dim : tensor.dims()) bytes *= dim;
    if (bytes != static_cast<int64_t>(tensor.raw_data().size()))
      return cat(tensor.name(), " has ", tensor.raw_data().size(), " bytes, not ", bytes);
  }
  for (const auto& node : graph.node()) {
    for (const std::string& input : node.input())
      if (!known.contains(input)) return node.name() + " reads " + input + ", which is not defined";
    for (const std::string& output : node.output())
      if (!known.insert(output).second) return output + " is there twice";
  }
  for (const auto& output : graph.output())
    if (!known.contains(output.name())) return "no output " + output.name();
  return "";
}

}  // namespace grimace::testing
