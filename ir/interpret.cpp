#include "ir/interpret.h"

#include <cstring>

#include "ir/builder.h"
#include "ir/op_def.h"

namespace grimace {
namespace {

template <typename From, typename To>
void convert_elements(ConstView from, View to) {
  const auto in = from.as<From>();
  const auto out = to.as<To>();
  for (size_t i = 0; i < in.size(); ++i) out[i] = To(static_cast<float>(in[i]));
}

bool is_16_bit(const TensorType& type) {
  return type.dtype == DType::bf16 || type.dtype == DType::f16;
}

// 16-bit floats are storage: cast and reshape-like ops move or convert them, arithmetic widens.
TensorType widened(const TensorType& type) {
  return is_16_bit(type) ? TensorType{DType::f32, type.shape} : type;
}

// memcpy wants pointers even where there is nothing to copy; empty tensors have none.
void copy_bytes(const void* from, void* to, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

void widen(ConstView from, View to) {
  if (from.type.dtype == DType::bf16) return convert_elements<bf16, float>(from, to);
  if (from.type.dtype == DType::f16) return convert_elements<f16, float>(from, to);
  copy_bytes(from.data, to.data, static_cast<size_t>(from.type.bytes()));
}

void narrow(ConstView from, View to) {
  if (to.type.dtype == DType::bf16) return convert_elements<float, bf16>(from, to);
  if (to.type.dtype == DType::f16) return convert_elements<float, f16>(from, to);
}

// A graph of this one node on widened types, so that kernels that look at node types see f32.
void run_widened(const Node& node, std::span<const ConstView> in, std::span<const View> out) {
  Graph graph;
  std::vector<Value> inputs;
  std::vector<Buffer> wide_in;
  std::vector<ConstView> in_views;
  for (size_t i = 0; i < in.size(); ++i) {
    wide_in.emplace_back(widened(in[i].type));
    widen(in[i], wide_in.back().view());
    inputs.push_back(graph.add_input(Role::input, std::to_string(i), wide_in.back().type));
  }
  for (const Buffer& buffer : wide_in) in_views.push_back(buffer.view());
  std::vector<NamedAttr> attrs = node.named_attrs();
  for (NamedAttr& attr : attrs)
    if (DType* dtype = std::get_if<DType>(&attr.value); dtype != nullptr)
      *dtype = widened({*dtype, {}}).dtype;
  const Node& twin = graph.add_node(node.op(), inputs, attrs);
  std::vector<Buffer> wide_out;
  std::vector<View> out_views;
  for (int i = 0; i < twin.num_results(); ++i) wide_out.emplace_back(twin.out(i));
  for (Buffer& buffer : wide_out) out_views.push_back(buffer.view());
  node.op().reference(twin, in_views, out_views);
  for (size_t i = 0; i < out.size(); ++i) {
    if (is_16_bit(out[i].type))
      narrow(wide_out[i].view(), out[i]);
    else
      copy_bytes(wide_out[i].data.data(), out[i].data, wide_out[i].data.size());
  }
}

// A graph of this one node, decomposed.
void run_decomposition(const Node& node, std::span<const ConstView> in, std::span<const View> out) {
  internal_check(node.op().decompose != nullptr, node.describe(), " has no reference kernel");
  Graph graph;
  std::vector<Value> inputs;
  std::map<std::string, Buffer> values;
  for (size_t i = 0; i < in.size(); ++i) {
    const std::string name = std::to_string(i);
    inputs.push_back(graph.add_input(Role::input, name, in[i].type));
    Buffer& buffer = values[name] = Buffer(in[i].type);
    copy_bytes(in[i].data, buffer.view().data, buffer.data.size());
  }
  Node& twin = graph.add_node(node.op(), inputs, node.named_attrs());
  Builder b(graph);
  const std::vector<Value> results = node.op().decompose(b, twin);
  graph.erase(twin);
  for (size_t i = 0; i < results.size(); ++i) graph.add_output(std::to_string(i), results[i]);
  const Interpretation done = interpret(graph, values);
  for (size_t i = 0; i < out.size(); ++i)
    copy_bytes(done.outputs.at(std::to_string(i)).data.data(), out[i].data,
               static_cast<size_t>(out[i].type.bytes()));
}

}  // namespace

void run_reference(const Node& node, std::span<const ConstView> in, std::span<const View> out) {
  if (node.op().reference == nullptr) return run_decomposition(node, in, out);
  bool wide = true;
  for (const ConstView& view : in) wide = wide && !is_16_bit(view.type);
  for (const View& view : out) wide = wide && !is_16_bit(view.type);
  if (wide) return node.op().reference(node, in, out);
  run_widened(node, in, out);
}

Interpretation interpret(const Graph& graph, const std::map<std::string, Buffer>& inputs) {
  ValueMap<Buffer> values;
  for (const Value& input : graph.inputs()) {
    Buffer buffer(input.type());
    if (input.is(Role::constant)) {
      buffer.data = input.def()->data;
    } else {
      const auto found = inputs.find(input.name());
      check(found != inputs.end(), "interpret: no value for ", name_of(input.def()->role), " '",
            input.name(), "' ", input.type());
      check(found->second.type == input.type(), "interpret: '", input.name(), "' is ",
            found->second.type, "; the graph wants ", input.type());
      buffer.data = found->second.data;
    }
    values.emplace(input, std::move(buffer));
  }
  for (const Node& node : graph.nodes()) {
    std::vector<ConstView> in;
    std::vector<View> out;
    for (const Value& input : node.inputs()) in.push_back(values.at(input).view());
    for (int i = 0; i < node.num_results(); ++i)
      out.push_back(values.emplace(node.result(i), Buffer(node.out(i))).first->second.view());
    run_reference(node, in, out);
  }
  Interpretation result;
  for (const Output& output : graph.outputs())
    result.outputs[output.name] = values.at(output.value);
  for (const Update& update : graph.updates())
    result.updates[update.target.name()] = values.at(update.value);
  return result;
}

}  // namespace grimace
