// The opcode interpreter: one loop, one table, a stack of references, no recursion.
#include "runtime/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "ir/error.h"
#include "runtime/safetensors_header.h"  // quoted_name

namespace grimace {

using Kind = PickleNode::Kind;

// Reads one pickle into the nodes of `out_`. Texts are views of the pickle's own bytes.
class PickleReader {
 public:
  PickleReader(Pickle& out, std::span<const std::string_view> callables, const std::string& where,
               const PickleLimits& limits)
      : out_(out),
        bytes_(out.bytes_.data(), out.bytes_.size()),
        callables_(callables),
        where_(where),
        limits_(limits) {}

  void run() {
    need(bytes_.size() >= 2 && bytes_[0] == '\x80', "does not begin with a protocol");
    for (const Kind kind : {Kind::none, Kind::boolean, Kind::boolean}) make(kind);
    out_.nodes_[kTrue].integer = 1;
    for (int64_t count = 0; !stopped_; ++count) {
      need(count < limits_.opcodes, "has more than ", limits_.opcodes, " opcodes");
      const auto opcode = number<uint8_t>();
      const Handler handle = handlers()[opcode];
      if (handle == nullptr) refuse(opcode);
      handle(*this);
    }
    need(at_ == bytes_.size(), "goes on after its end");
    need(stack_.size() == 1 && marks_.empty(), "ends with ", stack_.size(), " values; expected 1");
    out_.root_ = stack_.back();
  }

 private:
  static constexpr PickleRef kNone = 0, kFalse = 1, kTrue = 2;
  static constexpr size_t kLongestName = 500;  // of a class with its module
  using Handler = void (*)(PickleReader&);
  // By opcode; null for what no checkpoint needs: text forms of protocol 0, extensions, buffers.
  using Table = std::array<Handler, 256>;
  static const Table& handlers();
  static void add_values(Table& t);
  static void add_structure(Table& t);

  template <typename... Parts>
  void need(bool ok, const Parts&... parts) const {
    check(ok, where_, ": the pickle ", parts..., " (byte ", at_, " of ", bytes_.size(),
          "); the file is damaged or made to harm");
  }
  [[noreturn]] void refuse(uint8_t opcode) const {
    throw Error(cat(where_, ": the pickle has opcode ", static_cast<int>(opcode), " at byte ",
                    at_ - 1,
                    ", which no checkpoint needs; the file is damaged, or not written by "
                    "torch.save"));
  }

  std::string_view take(uint64_t size) {
    need(size <= bytes_.size() - at_, "is cut short");
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    need(end != std::string_view::npos, "is cut short");
    const std::string_view taken = take(end - at_);
    ++at_;
    return taken;
  }

  PickleRef make(Kind kind) {
    need(static_cast<int64_t>(out_.nodes_.size()) < limits_.nodes, "has more than ", limits_.nodes,
         " values");
    out_.nodes_.emplace_back().kind = kind;
    return static_cast<PickleRef>(out_.nodes_.size() - 1);
  }
  PickleNode& push(Kind kind) {
    stack_.push_back(make(kind));
    return out_.nodes_[stack_.back()];
  }
  void push_text(Kind kind, std::string_view text) { push(kind).text = text; }

  // Only what lies above the innermost mark may be taken.
  PickleRef pop() {
    need(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "takes from an empty stack");
    const PickleRef top = stack_.back();
    stack_.pop_back();
    return top;
  }
  std::vector<PickleRef> pop_to_mark() {
    need(!marks_.empty(), "misses a mark");
    const auto from = stack_.begin() + static_cast<int64_t>(marks_.back());
    std::vector<PickleRef> taken(from, stack_.end());
    stack_.erase(from, stack_.end());
    marks_.pop_back();
    return taken;
  }
  std::vector<PickleRef> pop_count(size_t count) {
    std::vector<PickleRef> taken(count);
    for (size_t i = count; i-- > 0;) taken[i] = pop();
    return taken;
  }
  PickleRef top() {
    const PickleRef ref = pop();
    stack_.push_back(ref);
    return ref;
  }
  void mark() {
    need(static_cast<int64_t>(marks_.size()) < limits_.marks, "nests deeper than ", limits_.marks);
    marks_.push_back(stack_.size());
  }

  void nest(PickleNode& outer, PickleRef inner) {
    const int depth = out_.nodes_[inner].depth + 1;
    need(depth <= limits_.depth, "nests deeper than ", limits_.depth);
    outer.depth = std::max(outer.depth, static_cast<uint16_t>(depth));
  }
  void append(PickleNode& outer, const std::vector<PickleRef>& items) {
    for (const PickleRef item : items) nest(outer, item);
    outer.items.insert(outer.items.end(), items.begin(), items.end());
  }
  void push_filled(Kind kind, const std::vector<PickleRef>& items) {
    need(kind != Kind::dict || items.size() % 2 == 0, "has a dict with a key and no value");
    append(push(kind), items);
  }

  // Filling what is there already. Lists and dicts take their own; calls and objects are filled by
  // methods in Python, here only by notes of what they were given.
  void fill(Kind kind, const std::vector<PickleRef>& items) {
    PickleNode& outer = out_.nodes_[top()];
    const bool open = outer.kind == Kind::call || outer.kind == Kind::object;
    need(outer.kind == kind || open, "fills something that cannot be filled");
    need(kind != Kind::dict || items.size() % 2 == 0, "has a dict with a key and no value");
    append(outer, items);
  }

  void protocol(uint8_t version) {
    check(version >= 2 && version <= 5, where_, ": the pickle has protocol ",
          static_cast<int>(version), "; this program reads 2 to 5");
  }

  void frame(uint64_t size) const { need(size <= bytes_.size() - at_, "is cut short"); }

  int64_t long_integer(uint8_t size) {
    need(size <= sizeof(int64_t), "has an integer of ", static_cast<int>(size), " bytes");
    const std::string_view digits = take(size);
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(digits[i]);
    const bool negative = size > 0 && (digits.back() & 0x80) != 0;
    if (negative && size < sizeof value) value |= ~uint64_t{0} << (8 * size);
    return static_cast<int64_t>(value);
  }

  double big_endian_double() {
    return std::bit_cast<double>(__builtin_bswap64(number<uint64_t>()));
  }

  void push_global(std::string_view module, std::string_view name) {
    need(static_cast<int64_t>(out_.joined_.size()) < limits_.globals &&
             module.size() + name.size() <= kLongestName,
         "names more than ", limits_.globals, " classes, or one of a very long name");
    out_.joined_.push_back(cat(module, ".", name));
    push_text(Kind::global, out_.joined_.back());
  }

  void global_of_lines() {
    const std::string_view module = line();
    push_global(module, line());
  }
  void global_of_texts(const std::vector<PickleRef>& parts) {
    for (const PickleRef part : parts)
      need(out_.nodes_[part].kind == Kind::text, "names a class by something other than text");
    push_global(out_.nodes_[parts[0]].text, out_.nodes_[parts[1]].text);
  }

  void construct(Kind kind, const std::vector<PickleRef>& parts) {
    const PickleNode& callee = out_.nodes_[parts[0]];
    need(callee.kind == Kind::global, "calls a value that is no class or function");
    need(out_.nodes_[parts[1]].kind == Kind::tuple, "calls without a tuple of arguments");
    const bool known = std::ranges::find(callables_, callee.text) != callables_.end();
    check(known || kind == Kind::object, where_, ": the pickle asks to call ",
          quoted_name(callee.text),
          ", which a checkpoint has no need of; nothing was called and the file is refused. If you "
          "trust it, save its weights alone as a dict of tensors");
    PickleNode& made = push(kind);
    nest(made, parts[1]);
    made.callee = parts[0];
    made.argument = parts[1];
  }

  void set_state(PickleRef state) {
    PickleNode& object = out_.nodes_[top()];
    need(object.kind == Kind::call || object.kind == Kind::object,
         "sets the state of a plain value");
    nest(object, state);
    object.state = state;
  }
  void push_persistent(PickleRef identity) {
    PickleNode& outside = push(Kind::persistent);
    nest(outside, identity);
    outside.argument = identity;
  }

  void remember(uint64_t index) {
    need(static_cast<int64_t>(index) < limits_.memo, "has a memo of more than ", limits_.memo,
         " entries");
    if (memo_.size() <= index) memo_.resize(index + 1, kNoPickle);
    memo_[index] = top();
  }
  void recall(uint64_t index) {
    need(index < memo_.size() && memo_[index] != kNoPickle, "recalls memo entry ", index,
         ", which was never set");
    stack_.push_back(memo_[index]);
  }

  Pickle& out_;
  std::string_view bytes_;
  std::span<const std::string_view> callables_;
  const std::string& where_;
  const PickleLimits& limits_;
  size_t at_ = 0;
  bool stopped_ = false;
  std::vector<PickleRef> stack_;
  std::vector<size_t> marks_;
  std::vector<PickleRef> memo_;
};

const PickleReader::Table& PickleReader::handlers() {
  static const Table table = [] {
    Table t{};
    add_values(t);
    add_structure(t);
    return t;
  }();
  return table;
}

void PickleReader::add_values(Table& t) {
  using R = PickleReader;
  t['N'] = [](R& r) { r.stack_.push_back(kNone); };
  t[0x88] = [](R& r) { r.stack_.push_back(kTrue); };
  t[0x89] = [](R& r) { r.stack_.push_back(kFalse); };
  t['J'] = [](R& r) { r.push(Kind::integer).integer = r.number<int32_t>(); };
  t['K'] = [](R& r) { r.push(Kind::integer).integer = r.number<uint8_t>(); };
  t['M'] = [](R& r) { r.push(Kind::integer).integer = r.number<uint16_t>(); };
  t[0x8a] = [](R& r) { r.push(Kind::integer).integer = r.long_integer(r.number<uint8_t>()); };
  t['G'] = [](R& r) { r.push(Kind::real).real = r.big_endian_double(); };
  t['X'] = [](R& r) { r.push_text(Kind::text, r.take(r.number<uint32_t>())); };
  t[0x8c] = [](R& r) { r.push_text(Kind::text, r.take(r.number<uint8_t>())); };
  t[0x8d] = [](R& r) { r.push_text(Kind::text, r.take(r.number<uint64_t>())); };
  t['T'] = [](R& r) { r.push_text(Kind::text, r.take(r.number<uint32_t>())); };  // of Python 2
  t['U'] = [](R& r) { r.push_text(Kind::text, r.take(r.number<uint8_t>())); };
  t['B'] = [](R& r) { r.push_text(Kind::bytes, r.take(r.number<uint32_t>())); };
  t['C'] = [](R& r) { r.push_text(Kind::bytes, r.take(r.number<uint8_t>())); };
  t[0x8e] = [](R& r) { r.push_text(Kind::bytes, r.take(r.number<uint64_t>())); };
  t[0x96] = [](R& r) { r.push_text(Kind::bytes, r.take(r.number<uint64_t>())); };
}

void PickleReader::add_structure(Table& t) {
  using R = PickleReader;
  // Containers, made and filled.
  t['('] = [](R& r) { r.mark(); };
  t[']'] = [](R& r) { r.push(Kind::list); };
  t[')'] = [](R& r) { r.push(Kind::tuple); };
  t['}'] = [](R& r) { r.push(Kind::dict); };
  t[0x8f] = [](R& r) { r.push(Kind::set); };
  t['l'] = [](R& r) { r.push_filled(Kind::list, r.pop_to_mark()); };
  t['t'] = [](R& r) { r.push_filled(Kind::tuple, r.pop_to_mark()); };
  t['d'] = [](R& r) { r.push_filled(Kind::dict, r.pop_to_mark()); };
  t[0x91] = [](R& r) { r.push_filled(Kind::set, r.pop_to_mark()); };
  t[0x85] = [](R& r) { r.push_filled(Kind::tuple, r.pop_count(1)); };
  t[0x86] = [](R& r) { r.push_filled(Kind::tuple, r.pop_count(2)); };
  t[0x87] = [](R& r) { r.push_filled(Kind::tuple, r.pop_count(3)); };
  t['a'] = [](R& r) { r.fill(Kind::list, r.pop_count(1)); };
  t['e'] = [](R& r) { r.fill(Kind::list, r.pop_to_mark()); };
  t['s'] = [](R& r) { r.fill(Kind::dict, r.pop_count(2)); };
  t['u'] = [](R& r) { r.fill(Kind::dict, r.pop_to_mark()); };
  t[0x90] = [](R& r) { r.fill(Kind::set, r.pop_to_mark()); };
  // The stack and the memo.
  t[0x80] = [](R& r) { r.protocol(r.number<uint8_t>()); };
  t[0x95] = [](R& r) { r.frame(r.number<uint64_t>()); };
  t['.'] = [](R& r) { r.stopped_ = true; };
  t['0'] = [](R& r) { r.pop(); };
  t['1'] = [](R& r) { r.pop_to_mark(); };
  t['2'] = [](R& r) { r.stack_.push_back(r.top()); };
  t['q'] = [](R& r) { r.remember(r.number<uint8_t>()); };
  t['r'] = [](R& r) { r.remember(r.number<uint32_t>()); };
  t[0x94] = [](R& r) { r.remember(r.memo_.size()); };
  t['h'] = [](R& r) { r.recall(r.number<uint8_t>()); };
  t['j'] = [](R& r) { r.recall(r.number<uint32_t>()); };
  // What Python would import, call, construct and load; here it is written down.
  t['c'] = [](R& r) { r.global_of_lines(); };
  t[0x93] = [](R& r) { r.global_of_texts(r.pop_count(2)); };
  t['R'] = [](R& r) { r.construct(Kind::call, r.pop_count(2)); };
  t[0x81] = [](R& r) { r.construct(Kind::object, r.pop_count(2)); };
  t[0x92] = [](R& r) { r.pop(), r.construct(Kind::object, r.pop_count(2)); };  // with keywords
  t['b'] = [](R& r) { r.set_state(r.pop()); };
  t['Q'] = [](R& r) { r.push_persistent(r.pop()); };
}

Pickle::Pickle(std::vector<char> bytes, std::span<const std::string_view> callables,
               const std::string& where, const PickleLimits& limits)
    : bytes_(std::move(bytes)) {
  check(static_cast<int64_t>(bytes_.size()) <= limits.bytes, where, ": the pickle has ",
        bytes_.size(), " bytes (limit ", limits.bytes, "); it is no checkpoint of tensors");
  PickleReader(*this, callables, where, limits).run();
}

std::string_view Pickle::callee(PickleRef ref) const {
  const PickleRef callee = nodes_[ref].callee;
  return callee == kNoPickle ? std::string_view() : nodes_[callee].text;
}

bool Pickle::is_mapping(PickleRef ref) const {
  const Kind kind = nodes_[ref].kind;
  return kind == Kind::dict ||
         ((kind == Kind::call || kind == Kind::object) && callee(ref) == "collections.OrderedDict");
}

PickleRef Pickle::find(PickleRef dict, std::string_view key) const {
  if (!is_mapping(dict)) return kNoPickle;
  const std::vector<PickleRef>& items = nodes_[dict].items;
  for (size_t i = items.size(); i >= 2; i -= 2)  // of equal keys, the last one counts
    if (nodes_[items[i - 2]].kind == Kind::text && nodes_[items[i - 2]].text == key)
      return items[i - 1];
  return kNoPickle;
}

}  // namespace grimace
