// Writes and reads the file form of a graph. Messages are read one at a time straight into the
// graph, which bounds the memory that a hostile payload can claim.
#include "ir/serialize.h"

#include <google/protobuf/io/coded_stream.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "graph.pb.h"
#include "ir/op_def.h"
#include "ir/verify.h"

namespace grimace {
namespace {

static_assert(std::endian::native == std::endian::little, "the header is stored little-endian");

struct Header {
  char magic[8] = {'G', 'R', 'M', 'G', 'R', 'A', 'P', 'H'};
  uint32_t version = kGraphFormatVersion;
  uint32_t checksum = 0;
  uint64_t payload_size = 0;
};
static_assert(sizeof(Header) == 24);

uint32_t checksum_of(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// ---- Writing ------------------------------------------------------------------------------

void write_type(const TensorType& type, TypeProto& proto) {
  proto.set_dtype(std::string(name_of(type.dtype)));
  for (const int64_t dim : type.shape.dims()) proto.add_dims(dim);
}

void write_node(const Node& node, const ValueMap<uint32_t>& index, NodeProto& proto) {
  proto.set_op(std::string(node.op_name()));
  proto.set_scope(node.scope());
  for (const Value& v : node.inputs()) proto.add_inputs(index.at(v));
  for (size_t i = 0; i < node.attrs().size(); ++i) {
    AttrProto& attr = *proto.add_attrs();
    attr.set_name(std::string(node.op().attrs[i].name));
    attr.set_value(to_text(node.attrs()[i]));
  }
  for (int i = 0; i < node.num_results(); ++i) {
    ResultProto& result = *proto.add_results();
    result.set_name(node.result(i).name());
    write_type(node.out(i), *result.mutable_type());
  }
}

GraphProto to_proto(const Graph& graph) {
  GraphProto proto;
  proto.set_name(graph.name());
  ValueMap<uint32_t> index;
  const auto number = [&](Value v) { index[v] = static_cast<uint32_t>(index.size()); };
  for (const Value& v : graph.inputs()) {
    InputProto& input = *proto.add_inputs();
    input.set_role(std::string(name_of(v.def()->role)));
    input.set_name(v.name());
    write_type(v.type(), *input.mutable_type());
    if (v.is(Role::constant)) proto.add_constants(v.def()->data.data(), v.def()->data.size());
    number(v);
  }
  for (const Node& node : graph.nodes()) {
    write_node(node, index, *proto.add_nodes());
    for (int i = 0; i < node.num_results(); ++i) number(node.result(i));
  }
  for (const Output& output : graph.outputs()) {
    OutputProto& out = *proto.add_outputs();
    out.set_name(output.name);
    out.set_value(index.at(output.value));
  }
  for (const Update& update : graph.updates()) {
    UpdateProto& out = *proto.add_updates();
    out.set_target(index.at(update.target));
    out.set_value(index.at(update.value));
  }
  return proto;
}

// ---- Reading ------------------------------------------------------------------------------

class Reader {
 public:
  std::unique_ptr<Graph> read(std::string_view payload) {
    // One top-level field after the other, each of at most kMaxMessage bytes but for constants.
    google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(payload.data()),
                                                  static_cast<int>(payload.size()));
    uint32_t last_field = 0;
    while (const uint32_t tag = stream.ReadTag()) {
      const uint32_t field = tag >> 3;
      check((tag & 7) == 2 && field >= last_field, "the payload is damaged: unexpected tag ", tag);
      last_field = field;
      uint32_t size = 0;
      const auto left = [&] {
        return payload.size() - static_cast<size_t>(stream.CurrentPosition());
      };
      check(stream.ReadVarint32(&size) && size <= left(), "the payload is damaged: field ", field,
            " does not end");
      message(field, payload.substr(payload.size() - left(), size));
      stream.Skip(static_cast<int>(size));
    }
    check(static_cast<size_t>(stream.CurrentPosition()) == payload.size() && graph_ != nullptr,
          "the payload is damaged: it ends early");
    check(next_constant_ == constants_.size(), "the payload is damaged: ", constants_.size(),
          " constants have data, ", next_constant_, " are declared");
    verify(*graph_);
    return std::move(graph_);
  }

 private:
  void message(uint32_t field, std::string_view bytes) {
    check(field == GraphProto::kConstantsFieldNumber || bytes.size() <= kMaxMessage,
          "the payload is damaged: a message of ", bytes.size(), " bytes");
    if (field == GraphProto::kNameFieldNumber) {
      check(graph_ == nullptr, "the payload is damaged: it has two names");
      graph_ = std::make_unique<Graph>(std::string(bytes));
      return;
    }
    check(graph_ != nullptr, "the payload is damaged: the graph has no name");
    switch (field) {
      case GraphProto::kConstantsFieldNumber:
        check(constants_.size() < kMaxGraphInputs, "more than ", kMaxGraphInputs, " constants");
        return constants_.push_back(bytes);
      case GraphProto::kInputsFieldNumber:
        return input(decode<InputProto>(bytes));
      case GraphProto::kNodesFieldNumber:
        return node(decode<NodeProto>(bytes));
      case GraphProto::kOutputsFieldNumber:
        return output(decode<OutputProto>(bytes));
      case GraphProto::kUpdatesFieldNumber:
        return update(decode<UpdateProto>(bytes));
      default:
        throw Error(cat("field ", field, " is not known to format version ", kGraphFormatVersion));
    }
  }

  template <typename Proto>
  static Proto decode(std::string_view bytes) {
    Proto proto;
    check(proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())),
          "the payload is damaged: no ", Proto::descriptor()->name());
    return proto;
  }

  static TensorType type_of(const TypeProto& proto) {
    return {dtype_from(proto.dtype()),
            Shape(std::span(proto.dims().data(), static_cast<size_t>(proto.dims_size())))};
  }

  void input(const InputProto& proto) {
    check(graph_->inputs().size() < kMaxGraphInputs, "more than ", kMaxGraphInputs, " inputs");
    const TensorType type = type_of(proto.type());
    if (proto.role() == name_of(Role::constant)) {
      check(next_constant_ < constants_.size(), "constant '", proto.name(), "' has no data");
      const std::string_view data = constants_[next_constant_++];
      values_.push_back(graph_->add_constant(proto.name(), type, std::as_bytes(std::span(data))));
      return;
    }
    for (const Role role : {Role::input, Role::param, Role::state})
      if (proto.role() == name_of(role))
        return values_.push_back(graph_->add_input(role, proto.name(), type));
    throw Error(cat("input '", proto.name(), "': unknown role '", proto.role(), "'"));
  }

  void node(const NodeProto& proto) {
    check(graph_->nodes().size() < kMaxNodes, "more than ", kMaxNodes, " nodes");
    const std::string number = cat("node ", graph_->nodes().size());
    const OpDef& op = known_op(proto.op(), number + ": ");
    const std::string place = cat(number, " (", op.name, "): ");
    uses_ += static_cast<size_t>(proto.inputs_size());
    check(uses_ <= kMaxUses, "more than ", kMaxUses, " inputs of nodes");
    std::vector<Value> inputs;
    for (const uint32_t index : proto.inputs()) inputs.push_back(value_at(index));
    std::vector<NamedAttr> attrs;
    for (const AttrProto& attr : proto.attrs()) attrs.push_back(attr_of(op, attr));
    graph_->scope = proto.scope();
    Node& node = graph_->add_node(op, std::move(inputs), attrs,
                                  proto.results_size() > 0 ? proto.results(0).name() : "");
    check(proto.results_size() == node.num_results(), place, "it is stored with ",
          proto.results_size(), " results; this build infers ", node.num_results());
    for (int i = 0; i < node.num_results(); ++i) {
      const TensorType stored = type_of(proto.results(i).type());
      check(stored == node.out(i), place, "result ", i, " is stored as ", stored,
            "; this build infers ", node.out(i));
      graph_->rename(node.result(i), proto.results(i).name());
      values_.push_back(node.result(i));
    }
  }

  static NamedAttr attr_of(const OpDef& op, const AttrProto& proto) {
    check(proto.value().size() <= kMaxAttribute, "op '", op.name, "': attribute '", proto.name(),
          "' is longer than ", kMaxAttribute, " characters");
    for (const AttrSpec& spec : op.attrs)
      if (!spec.name.empty() && spec.name == proto.name())
        return {spec.name, attr_from_text(spec.kind, proto.value())};
    throw Error(cat("op '", op.name, "' of this build has no attribute '", proto.name(), "'"));
  }

  void output(const OutputProto& proto) {
    check(graph_->outputs().size() < kMaxOutputs, "more than ", kMaxOutputs, " outputs");
    graph_->add_output(proto.name(), value_at(proto.value()));
  }

  void update(const UpdateProto& proto) {
    check(graph_->updates().size() < kMaxOutputs, "more than ", kMaxOutputs, " updates");
    graph_->add_update(value_at(proto.target()), value_at(proto.value()));
  }

  Value value_at(uint32_t index) const {
    check(index < values_.size(), "value ", index, " is used but only ", values_.size(),
          " are defined before");
    return values_[index];
  }

  static constexpr size_t kMaxMessage = size_t{1} << 20;
  std::unique_ptr<Graph> graph_;
  std::vector<std::string_view> constants_;  // in the payload
  size_t next_constant_ = 0;
  std::vector<Value> values_;
  size_t uses_ = 0;
};

// Messages may quote what the file holds.
std::string one_line(std::string text) {
  constexpr size_t kShown = 400;
  if (text.size() > kShown) text.replace(kShown, std::string::npos, "...");
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

std::string to_bytes(const Graph& graph) {
  verify(graph);
  uint64_t size = sizeof(Header);
  for (const Value& v : graph.inputs()) size += v.def()->data.size();
  check(size <= kMaxGraphBytes, "graph '", graph.name(),
        "' is too large for a file: its constants ", "alone have ", size, " bytes, the limit is ",
        kMaxGraphBytes);
  const std::string payload = to_proto(graph).SerializeAsString();
  Header header;
  header.checksum = checksum_of(payload);
  header.payload_size = payload.size();
  check(payload.size() <= kMaxGraphBytes - sizeof(header), "graph '", graph.name(),
        "' is too large for a file: ", payload.size(), " bytes, the limit is ", kMaxGraphBytes);
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + payload;
}

std::unique_ptr<Graph> from_bytes(std::string_view bytes) {
  Header header;
  check(
      bytes.substr(0, sizeof(header.magic)) == std::string_view(header.magic, sizeof(header.magic)),
      "this is not a saved graph: it does not start with GRMGRAPH");
  check(bytes.size() >= sizeof(header), "the graph file is truncated: its header is incomplete");
  std::memcpy(&header, bytes.data(), sizeof(header));
  check(header.version == kGraphFormatVersion, "the graph file has format version ", header.version,
        "; this build reads version ", kGraphFormatVersion);
  const std::string_view payload = bytes.substr(sizeof(header));
  check(header.payload_size == payload.size(), "the graph file is damaged: expected ",
        header.payload_size, " bytes of payload, got ", payload.size());
  check(payload.size() <= kMaxGraphBytes, "a graph file may have at most ", kMaxGraphBytes,
        " bytes");
  check(header.checksum == checksum_of(payload), "the graph file is damaged: wrong checksum");
  try {
    return Reader().read(payload);
  } catch (const Error& e) {
    throw Error(one_line(e.what()));
  }
}

}  // namespace grimace
