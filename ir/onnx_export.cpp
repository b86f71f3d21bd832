#include "ir/onnx_export.h"

#include "ir/onnx_ops.h"
#include "ir/op_def.h"
#include "ir/passes/guards.h"
#include "ir/passes/passes.h"
#include "ir/verify.h"

namespace grimace {
namespace {

constexpr int64_t kIrVersion = 8;  // of the ONNX release that brought the operator set

// Primitives, and the fused ops that ONNX has too.
std::unique_ptr<Graph> expanded(const Graph& graph) {
  auto copy = graph.clone();
  canonicalise(*copy);
  expand(*copy, onnx_has);
  eliminate_common(*copy);
  eliminate_dead(*copy);
  return copy;
}

void check_exportable(const Graph& graph) {
  verify(graph);
  check(graph.updates().empty() && graph.inputs(Role::state).empty(), "graph '", graph.name(),
        "' is a training step; ONNX export is for inference");
  check(!graph.outputs().empty(), "graph '", graph.name(), "' has no outputs to export");
  int64_t bytes = 0;
  for (const Value& v : graph.inputs())
    if (!v.is(Role::input)) bytes += v.type().bytes();
  check(bytes < kMaxOnnxBytes, "graph '", graph.name(), "': its weights have ", bytes,
        " bytes; an ONNX file can have at most ", kMaxOnnxBytes);
}

class Exporter {
 public:
  Exporter(const Graph& graph, const OnnxExport& what)
      : graph_(expanded(graph)), what_(what), writer_(*model_.mutable_graph()) {
    if (what.one_more == nullptr) return;
    one_more_ = expanded(*what.one_more);
    pair();
  }

  std::string run() {
    model_.set_ir_version(kIrVersion);
    model_.set_producer_name("grimace");
    model_.add_opset_import()->set_version(kOnnxOperatorSet);
    model_.mutable_opset_import(0)->set_domain("");
    model_.mutable_graph()->set_name(graph_->name());
    for (const auto& [key, value] : what_.metadata) {
      onnx::StringStringEntryProto& entry = *model_.add_metadata_props();
      entry.set_key(key);
      entry.set_value(value);
    }
    inputs();
    name_outputs();
    for (const Node& node : graph_->nodes()) write(node);
    outputs();
    const size_t bytes = model_.ByteSizeLong();
    check(bytes <= static_cast<size_t>(kMaxOnnxBytes), "graph '", graph_->name(), "' makes ", bytes,
          " bytes; an ONNX file can have at most ", kMaxOnnxBytes);
    return model_.SerializeAsString();
  }

 private:
  // ---- Two sizes of one graph ----

  void pair() {
    const auto& nodes = graph_->nodes();
    const auto& theirs = one_more_->nodes();
    internal_check(
        graph_->inputs().size() == one_more_->inputs().size() && nodes.size() == theirs.size(),
        "ONNX export: one clip more makes another graph");
    for (size_t i = 0; i < graph_->inputs().size(); ++i)
      pair(graph_->inputs()[i], one_more_->inputs()[i]);
    for (auto a = nodes.begin(), b = theirs.begin(); a != nodes.end(); ++a, ++b) {
      internal_check(&a->op() == &b->op(), "ONNX export: one clip more makes another graph");
      for (int i = 0; i < a->num_results(); ++i) pair(a->result(i), b->result(i));
      const bool by_type = a->is(op_reshape) || a->is(op_broadcast) || a->is(op_full);
      a->require(by_type || a->attrs() == b->attrs(),
                 "ONNX export: its attributes depend on the number of clips; fix it with "
                 "--batch-size");
    }
  }

  void pair(Value a, Value b) {
    internal_check(a.shape().rank() == b.shape().rank(), "ONNX export: ranks differ");
    twins_[a] = b;
    for (int axis = 0; a.is(Role::input) && clips_ == 0 && axis < a.shape().rank(); ++axis)
      if (a.dim(axis) != b.dim(axis)) {
        batch_input_ = a;
        batch_axis_ = axis;
        clips_ = a.dim(axis);
      }
  }

  std::vector<OnnxDim> dims(Value v) const {
    std::vector<OnnxDim> result;
    for (int axis = 0; axis < v.shape().rank(); ++axis) {
      const int64_t more = one_more_ ? twins_.at(v).dim(axis) - v.dim(axis) : 0;
      check(more * clips_ == (more == 0 ? 0 : v.dim(axis)), "ONNX export: a size of ", v.type(),
            " is no multiple of the number of clips; fix it with --batch-size");
      result.push_back(more == 0 ? OnnxDim{.fixed = v.dim(axis)} : OnnxDim{.per_clip = more});
    }
    return result;
  }

  // ---- Writing ----

  void describe(const std::string& name, Value v, onnx::ValueInfoProto& info) const {
    info.set_name(name);
    onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx_type(v.dtype()));
    type.mutable_shape();
    for (const OnnxDim& dim : dims(v)) {
      onnx::TensorShapeProto::Dimension& size = *type.mutable_shape()->add_dim();
      if (dim.per_clip == 0)
        size.set_dim_value(dim.fixed);
      else
        size.set_dim_param(dim.per_clip == 1 ? "batch" : cat(dim.per_clip, "*batch"));
    }
  }

  void inputs() {
    for (const Value& v : graph_->inputs()) {
      names_[v] = v.name();
      writer_.reserve(v.name());
    }
    for (const Value& v : graph_->inputs()) {
      if (v.is(Role::input))
        describe(v.name(), v, *model_.mutable_graph()->add_input());
      else
        writer_.tensor(
            v.name(), v.type(),
            v.is(Role::constant) ? std::span<const std::byte>(v.def()->data) : what_.weights(v));
    }
    if (clips_ > 0) writer_.batch_from(batch_input_.name(), batch_axis_);
  }

  // An output is called as ours where nothing else is.
  void name_outputs() {
    for (const Output& output : graph_->outputs()) {
      check(!graph_->find_input(output.name), "graph '", graph_->name(), "': output '", output.name,
            "' is called like an input, which ONNX does not allow");
      writer_.reserve(output.name);
      names_.try_emplace(output.value, output.name);
    }
    for (const Node& node : graph_->nodes())
      if (Value v = node.result(); !names_.contains(v))
        names_[v] = writer_.fresh(v.name().empty() ? std::string(node.op_name()) : v.name());
  }

  void write(const Node& node) {
    node.require(only_first_result_used(node), "ONNX export: only the first result is written");
    OnnxNode out{.out = writer_,
                 .node = node,
                 .inputs = {},
                 .result = names_.at(node.result()),
                 .dims = [this](Value v) { return dims(v); }};
    for (const Value& v : node.inputs()) out.inputs.push_back(names_.at(v));
    write_onnx(out);
  }

  void outputs() {
    for (const Output& output : graph_->outputs()) {
      if (names_.at(output.value) != output.name)
        writer_.node("Identity", {names_.at(output.value)}, output.name);
      describe(output.name, output.value, *model_.mutable_graph()->add_output());
    }
  }

  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Graph> one_more_;
  const OnnxExport& what_;
  onnx::ModelProto model_;
  OnnxWriter writer_;
  ValueMap<Value> twins_;
  ValueMap<std::string> names_;
  Value batch_input_;
  int batch_axis_ = 0;
  int64_t clips_ = 0;  // of graph_; 0: sizes are fixed
};

}  // namespace

std::string to_onnx(const Graph& graph, const OnnxExport& what) {
  check_exportable(graph);
  return Exporter(graph, what).run();
}

}  // namespace grimace
