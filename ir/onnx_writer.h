// What the export of every op uses: nodes and constants of the ONNX graph, its names, and sizes
// that follow the free batch.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"
#include "onnx.pb.h"

namespace grimace {

// A size of the graph that is written: `fixed`, or `per_clip` times the batch.
struct OnnxDim {
  int64_t fixed = 0;
  int64_t per_clip = 0;
  bool operator==(const OnnxDim& other) const = default;
};

int32_t onnx_type(DType dtype);  // Error for a 16-bit float

class OnnxWriter {
 public:
  using Names = std::vector<std::string>;
  explicit OnnxWriter(onnx::GraphProto& proto) : proto_(proto) {}

  // Names are unique in the ONNX graph. `derived` appends what no name of ours contains.
  void reserve(const std::string& name) { taken_.insert(name); }
  std::string fresh(const std::string& wanted);
  std::string derived(const std::string& name, std::string_view what) {
    return fresh(name + ":" + std::string(what));
  }

  onnx::NodeProto& node(std::string_view op, const Names& inputs, const std::string& output);
  void tensor(const std::string& name, const TensorType& type, std::span<const std::byte> data);
  std::string integers(const std::vector<int64_t>& values);  // a constant, written once
  std::string scalar(double value, DType dtype);

  // The batch is dimension `axis` of the graph input `input`.
  void batch_from(const std::string& input, int axis);
  // A one-dimensional tensor with these sizes, for the node that makes `user`.
  std::string shape(const std::vector<OnnxDim>& dims, const std::string& user);

 private:
  std::string times_batch(int64_t per_clip);

  onnx::GraphProto& proto_;
  std::unordered_set<std::string> taken_;
  std::map<std::vector<int64_t>, std::string> integers_;
  std::map<int64_t, std::string> multiples_;  // of the batch
};

void set_attribute(onnx::NodeProto& node, const char* name, int64_t value);
void set_attribute(onnx::NodeProto& node, const char* name, double value);
void set_attribute(onnx::NodeProto& node, const char* name, const std::vector<int64_t>& values);

}  // namespace grimace
