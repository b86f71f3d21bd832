// Reads the text form line by line. The text is hostile: every size is limited, every name looked
// up, and each error says on which line it is.
#include <algorithm>
#include <charconv>

#include "ir/constant_text.h"
#include "ir/nearest.h"
#include "ir/op_def.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace grimace {
namespace {

constexpr size_t kMaxText = size_t{1} << 28;
constexpr size_t kMaxLine = size_t{1} << 26;  // a constant is one line

// Reads one line from left to right, skipping blanks before every piece.
class Cursor {
 public:
  explicit Cursor(std::string_view line) : rest_(line) {}

  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }
  bool accept(char wanted) {
    skip_blanks();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) { check(accept(wanted), "expected '", wanted, "', got ", here()); }
  std::string_view word(std::string_view what) {
    skip_blanks();
    size_t size = 0;
    while (size < rest_.size() && is_word(rest_.substr(size, 1))) ++size;
    check(size > 0, "expected ", what, ", got ", here());
    check(size <= kMaxName, what, " is longer than ", kMaxName, " characters");
    return take(size);
  }
  // A sigil and a name: "%h" or "@fc1.w".
  std::string value_name() {
    check(at_value(), "expected a value such as %x or @w, got ", here());
    const std::string_view sigil = take(1);
    return std::string(sigil) + std::string(word("a name"));
  }
  // Up to the first of `stops` outside brackets, less trailing blanks.
  std::string_view until(std::string_view stops) {
    skip_blanks();
    size_t size = 0;
    for (bool inside = false; size < rest_.size(); ++size) {
      if (!inside && stops.find(rest_[size]) != std::string_view::npos) break;
      if (rest_[size] == '[') inside = true;
      if (rest_[size] == ']') inside = false;
    }
    const std::string_view taken = take(size);
    return taken.substr(0, taken.find_last_not_of(" \t") + 1);
  }
  bool at_value() { return !at_end() && (rest_[0] == '%' || rest_[0] == '@'); }
  std::string_view all() {
    skip_blanks();
    return take(rest_.size());
  }
  std::string here() { return at_end() ? "the end of the line" : quoted(rest_); }

 private:
  void skip_blanks() {
    const size_t blanks = rest_.find_first_not_of(" \t");
    rest_.remove_prefix(std::min(blanks, rest_.size()));
  }
  std::string_view take(size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
};

// "f32[8x101x512]"
TensorType read_type(Cursor& line) {
  const DType dtype = dtype_from(line.word("an element type"));
  line.expect('[');
  std::string_view text = line.until("]");
  line.expect(']');
  std::vector<int64_t> dims;
  while (!text.empty()) {
    int64_t dim = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), dim);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const bool last = text.empty();
    check(status == std::errc{} && (last || (text.size() > 1 && text[0] == 'x')),
          "expected a shape such as [8x101x512]");
    check(dims.size() < kMaxRank, "a shape has at most ", kMaxRank, " dimensions");
    dims.push_back(dim);
    if (!last) text.remove_prefix(1);
  }
  return {dtype, Shape(dims)};
}

NamedAttr read_attr(Cursor& line, const OpDef& op) {
  const std::string_view name = line.word("an attribute name");
  std::vector<std::string_view> known;
  for (int i = 0; i < op.num_attrs(); ++i) known.push_back(op.attrs[static_cast<size_t>(i)].name);
  const auto found = std::find(known.begin(), known.end(), name);
  check(found != known.end(), op.name, ": unknown attribute ", quoted(name),
        did_you_mean(name, known));
  const AttrSpec& spec = op.attrs[static_cast<size_t>(found - known.begin())];
  line.expect('=');
  const std::string_view text = line.until(",}");
  check(text.size() <= kMaxAttribute, op.name, ": attribute '", name, "' is longer than ",
        kMaxAttribute, " characters");
  try {
    return {spec.name, attr_from_text(spec.kind, text)};
  } catch (const Error& e) {
    throw Error(cat(op.name, ": attribute '", name, "': ", e.what()));
  }
}

std::vector<NamedAttr> read_attrs(Cursor& line, const OpDef& op) {
  std::vector<NamedAttr> attrs;
  if (!line.accept('{') || line.accept('}')) return attrs;
  do {
    check(attrs.size() <= op.attrs.size(), op.name, ": too many attributes");
    attrs.push_back(read_attr(line, op));
  } while (line.accept(','));
  line.expect('}');
  return attrs;
}

class Parser {
 public:
  void line(std::string_view text) {
    for (const char c : text)
      check(c == '\t' || (c >= ' ' && c <= '~'), "expected plain text, got the byte ",
            static_cast<int>(static_cast<unsigned char>(c)));
    const size_t hash = text.find('#');
    std::string_view scope;
    if (hash != std::string_view::npos) {
      scope = text.substr(hash + 1);
      text = text.substr(0, hash);
    }
    Cursor cursor(text);
    if (cursor.at_end()) return;
    check(!closed_, "expected nothing after the closing '}', got ", cursor.here());
    if (graph_ == nullptr) return header(cursor);
    statement(cursor, scope);
    check(cursor.at_end(), "expected the end of the line, got ", cursor.here());
  }

  std::unique_ptr<Graph> finish() {
    check(graph_ != nullptr, "the text is empty; expected 'graph NAME {'");
    check(closed_, "the text ends without a closing '}'");
    verify(*graph_);
    return std::move(graph_);
  }

 private:
  void header(Cursor& line) {
    check(line.word("'graph NAME {'") == "graph", "expected 'graph NAME {'");
    graph_ = std::make_unique<Graph>(std::string(line.word("a graph name")));
    line.expect('{');
    check(line.at_end(), "expected the end of the line, got ", line.here());
  }

  void statement(Cursor& line, std::string_view scope) {
    if (line.accept('}')) {
      closed_ = true;
      return;
    }
    if (line.at_value()) return node(line, scope);
    const std::string_view keyword = line.word("a node (%name = ...) or a keyword");
    if (keyword == "output") return output(line);
    if (keyword == "update") return update(line);
    const std::vector<std::string_view> known{"input",    "param",  "state",
                                              "constant", "output", "update"};
    for (const Role role : {Role::input, Role::param, Role::state, Role::constant})
      if (keyword == name_of(role)) return input(line, role);
    throw Error(cat("unknown keyword ", quoted(keyword), did_you_mean(keyword, known)));
  }

  void input(Cursor& line, Role role) {
    check(graph_->inputs().size() < kMaxGraphInputs, "more than ", kMaxGraphInputs, " inputs");
    const std::string name = line.value_name();
    const char sigil = role == Role::input ? '%' : '@';
    check(name[0] == sigil, "the name of ", role == Role::input ? "an " : "a ", name_of(role),
          " starts with '", sigil, "', got ", quoted(name));
    line.expect(':');
    const TensorType type = read_type(line);
    if (role != Role::constant) return define(name, graph_->add_input(role, name.substr(1), type));
    line.expect('=');
    std::string_view values = line.all();
    values = values.substr(0, values.find_last_not_of(" \t") + 1);
    const std::vector<std::byte> data = constant_from_text(type, values);
    define(name, graph_->add_constant(name.substr(1), type, data));
  }

  void node(Cursor& line, std::string_view scope) {
    check(graph_->nodes().size() < kMaxNodes, "more than ", kMaxNodes, " nodes");
    std::vector<std::string> names;
    do {
      names.push_back(line.value_name());
      check(names.back()[0] == '%', "a result's name starts with '%', got ", quoted(names.back()));
    } while (line.accept(','));
    line.expect('=');
    const OpDef& op = known_op(line.word("an op"));
    std::vector<Value> inputs;
    if (line.at_value()) do {
        check(++uses_ <= kMaxUses, "more than ", kMaxUses, " inputs of nodes");
        inputs.push_back(read_value(line));
      } while (line.accept(','));
    const std::vector<NamedAttr> attrs = read_attrs(line, op);
    graph_->scope = scope_of(scope);
    Node& node = graph_->add_node(op, std::move(inputs), attrs, unless_automatic(names, 0, op));
    name_results(node, names);
    read_types(line, node);
  }

  static std::string scope_of(std::string_view comment) {
    Cursor cursor(comment);
    if (cursor.at_end()) return {};
    std::string scope(cursor.word("a scope"));
    check(cursor.at_end(), "a scope is one word, got ", quoted(comment));
    return scope;
  }

  // The name to give result i: none when it is what the printer would call it anyway.
  std::string unless_automatic(const std::vector<std::string>& names, size_t i, const OpDef& op) {
    const std::string automatic =
        i == 0 ? cat("%", op.name, "_", nodes_of_[&op]) : cat(names[0], ".", i);
    return names[i] == automatic ? std::string() : names[i].substr(1);
  }

  void name_results(Node& node, const std::vector<std::string>& names) {
    check(names.size() == static_cast<size_t>(node.num_results()), node.op_name(), " has ",
          node.num_results(), " results; ", names.size(), " are named");
    for (size_t i = 0; i < names.size(); ++i) {
      const Value result = node.result(static_cast<int>(i));
      graph_->rename(result, unless_automatic(names, i, node.op()));
      define(names[i], result);
    }
    ++nodes_of_[&node.op()];
  }

  static void read_types(Cursor& line, const Node& node) {
    line.expect(':');
    for (int i = 0; i < node.num_results(); ++i) {
      if (i > 0) line.expect(',');
      const TensorType type = read_type(line);
      node.require(type == node.out(i), "result ", i, " is ", node.out(i), ", not ", type);
    }
  }

  void output(Cursor& line) {
    check(graph_->outputs().size() < kMaxOutputs, "more than ", kMaxOutputs, " outputs");
    if (line.at_value()) {
      const std::string name = line.value_name();
      return graph_->add_output(name.substr(1), lookup(name));
    }
    const std::string name(line.word("an output name"));
    line.expect('=');
    graph_->add_output(name, read_value(line));
  }

  void update(Cursor& line) {
    check(graph_->updates().size() < kMaxOutputs, "more than ", kMaxOutputs, " updates");
    const Value target = read_value(line);
    line.expect('=');
    graph_->add_update(target, read_value(line));
  }

  Value read_value(Cursor& line) { return lookup(line.value_name()); }
  Value lookup(const std::string& name) const {
    const auto found = values_.find(name);
    check(found != values_.end(), quoted(name), " is not defined above");
    return found->second;
  }
  void define(const std::string& name, Value value) {
    check(values_.try_emplace(name, value).second, quoted(name), " is defined twice");
  }

  std::unique_ptr<Graph> graph_;
  bool closed_ = false;
  size_t uses_ = 0;
  std::unordered_map<std::string, Value> values_;
  std::unordered_map<const OpDef*, int> nodes_of_;  // so far
};

}  // namespace

std::unique_ptr<Graph> parse(std::string_view text) {
  check(text.size() <= kMaxText, "a graph's text may have at most ", kMaxText, " bytes, got ",
        text.size());
  Parser parser;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    try {
      check(end <= kMaxLine, "the line is longer than ", kMaxLine, " characters");
      std::string_view line = text.substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      parser.line(line);
    } catch (const Error& e) {
      throw Error(cat("line ", number, ": ", e.what()));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parser.finish();
}

}  // namespace grimace
