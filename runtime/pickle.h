// Python pickles read as data: an interpreter of the opcodes that builds a tree and does nothing
// else. What would run code when Python reads it - calls, classes, imports - becomes a node that
// names it. Protocols 2 to 5, as torch.save writes them.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grimace {

// Nodes refer to each other by index: pickles share values, and may hold themselves.
using PickleRef = uint32_t;
inline constexpr PickleRef kNoPickle = UINT32_MAX;

struct PickleNode {
  enum class Kind : uint8_t {
    none,
    boolean,     // integer: 0 or 1
    integer,     // integer
    real,        // real
    text,        // text
    bytes,       // text
    list,        // items
    tuple,       // items
    set,         // items
    dict,        // items: key, value, key, value, ...
    global,      // text: "module.name" of a class or function, which was not looked up
    call,        // callee was to be called with argument, a tuple; items and state came later
    object,      // callee was to be constructed with argument; items and state came later
    persistent,  // argument: the identity of something outside the pickle
  };
  Kind kind = Kind::none;
  uint16_t depth = 1;  // of nesting below, this node included
  PickleRef callee = kNoPickle;
  PickleRef argument = kNoPickle;
  PickleRef state = kNoPickle;
  int64_t integer = 0;
  double real = 0.0;
  std::string_view text = {};
  std::vector<PickleRef> items = {};
};

// Sizes a pickle may have: more than any checkpoint needs, less than would hurt.
struct PickleLimits {
  int64_t bytes = int64_t{8} << 20;
  int64_t opcodes = 2'000'000;
  int64_t nodes = 250'000;
  int64_t globals = 10'000;
  int64_t memo = 250'000;
  int64_t depth = 100;  // of nesting
  int64_t marks = 1000;
};

class Pickle {
 public:
  using Kind = PickleNode::Kind;

  // Error, of one line opening with `where`, when the pickle is damaged, exceeds a limit, or calls
  // something other than `callables` ("module.name"). Classes need no permission: an object of an
  // unknown class is a node with its state and harms nobody.
  Pickle(std::vector<char> bytes, std::span<const std::string_view> callables,
         const std::string& where, const PickleLimits& limits = {});

  PickleRef root() const { return root_; }
  const PickleNode& operator[](PickleRef ref) const { return nodes_[ref]; }
  // "module.name" of a call or object; empty for any other node.
  std::string_view callee(PickleRef ref) const;
  // The value of a text key; kNoPickle when there is none or `dict` is no mapping. A mapping is a
  // dict, or a call or object that was filled like one (collections.OrderedDict).
  PickleRef find(PickleRef dict, std::string_view key) const;
  bool is_mapping(PickleRef ref) const;

 private:
  friend class PickleReader;
  std::vector<char> bytes_;  // what `text` of the nodes looks at, also after a move
  std::deque<std::string> joined_;
  std::deque<PickleNode> nodes_;
  PickleRef root_ = kNoPickle;
};

}  // namespace grimace
