#include "ir/onnx_writer.h"

#include <bit>
#include <cstring>

namespace grimace {

static_assert(std::endian::native == std::endian::little, "raw_data is stored little-endian");

int32_t onnx_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return onnx::TensorProto::FLOAT;
    case DType::f64:
      return onnx::TensorProto::DOUBLE;
    case DType::i32:
      return onnx::TensorProto::INT32;
    case DType::i64:
      return onnx::TensorProto::INT64;
    case DType::u8:
      return onnx::TensorProto::UINT8;
    case DType::boolean:
      return onnx::TensorProto::BOOL;
    default:
      throw Error(cat("ONNX export: ", dtype, " tensors are not written; export the f32 graph"));
  }
}

std::string OnnxWriter::fresh(const std::string& wanted) {
  std::string name = wanted;
  for (int n = 2; !taken_.insert(name).second; ++n) name = cat(wanted, ":", n);
  return name;
}

onnx::NodeProto& OnnxWriter::node(std::string_view op, const Names& inputs,
                                  const std::string& output) {
  onnx::NodeProto& node = *proto_.add_node();
  node.set_op_type(std::string(op));
  node.set_name(output);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

void OnnxWriter::tensor(const std::string& name, const TensorType& type,
                        std::span<const std::byte> data) {
  internal_check(static_cast<int64_t>(data.size()) == type.bytes(), "ONNX export: ", name, " : ",
                 type, " was given ", data.size(), " bytes");
  onnx::TensorProto& tensor = *proto_.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx_type(type.dtype));
  for (const int64_t dim : type.shape.dims()) tensor.add_dims(dim);
  tensor.set_raw_data(data.data(), data.size());
}

std::string OnnxWriter::integers(const std::vector<int64_t>& values) {
  std::string& name = integers_[values];
  if (!name.empty()) return name;
  name = fresh("integers:" + to_text(values));
  tensor(name, {DType::i64, {std::ssize(values)}}, std::as_bytes(std::span(values)));
  return name;
}

std::string OnnxWriter::scalar(double value, DType dtype) {
  onnx_type(dtype);  // or an error
  const std::string name = fresh("number:" + to_text(value));
  const auto put = [&](auto number) {
    tensor(name, {dtype, {}}, std::as_bytes(std::span(&number, 1)));
  };
  switch (dtype) {
    case DType::f32:
      put(static_cast<float>(value));
      break;
    case DType::f64:
      put(value);
      break;
    case DType::i32:
      put(static_cast<int32_t>(value));
      break;
    case DType::i64:
      put(static_cast<int64_t>(value));
      break;
    default:
      put(static_cast<uint8_t>(value));
  }
  return name;
}

void OnnxWriter::batch_from(const std::string& input, int axis) {
  if (!multiples_.empty()) return;
  onnx::NodeProto& size = node("Shape", {input}, multiples_[1] = fresh("batch"));
  set_attribute(size, "start", int64_t{axis});
  set_attribute(size, "end", int64_t{axis} + 1);
}

std::string OnnxWriter::times_batch(int64_t per_clip) {
  std::string& name = multiples_[per_clip];
  if (!name.empty()) return name;
  name = fresh(cat("batch:", per_clip));
  node("Mul", {multiples_.at(1), integers({per_clip})}, name);
  return name;
}

std::string OnnxWriter::shape(const std::vector<OnnxDim>& dims, const std::string& user) {
  Names parts;
  std::vector<int64_t> fixed;
  const auto flush = [&] {
    if (!fixed.empty()) parts.push_back(integers(fixed));
    fixed.clear();
  };
  for (const OnnxDim& dim : dims) {
    if (dim.per_clip == 0) {
      fixed.push_back(dim.fixed);
      continue;
    }
    flush();
    parts.push_back(times_batch(dim.per_clip));
  }
  if (parts.empty()) return integers(fixed);
  flush();
  if (parts.size() == 1) return parts[0];
  const std::string name = derived(user, "shape");
  set_attribute(node("Concat", parts, name), "axis", int64_t{0});
  return name;
}

namespace {

onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const char* name,
                                    onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

}  // namespace

void set_attribute(onnx::NodeProto& node, const char* name, int64_t value) {
  add_attribute(node, name, onnx::AttributeProto::INT).set_i(value);
}

void set_attribute(onnx::NodeProto& node, const char* name, double value) {
  add_attribute(node, name, onnx::AttributeProto::FLOAT).set_f(static_cast<float>(value));
}

void set_attribute(onnx::NodeProto& node, const char* name, const std::vector<int64_t>& values) {
  onnx::AttributeProto& attribute = add_attribute(node, name, onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute.add_ints(value);
}

}  // namespace grimace
