// Attributes: the compile-time arguments of a node, declared with a kind and a default by its op.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ir/types.h"

namespace grimace {

enum class AttrKind : uint8_t { integer, real, boolean, text, integers, dtype };
using AttrValue =
    std::variant<int64_t, double, bool, std::string, std::vector<int64_t>, DType>;  // by AttrKind

struct AttrSpec {
  std::string_view name;
  AttrKind kind = AttrKind::integer;
  std::string_view fallback{};  // in text form; empty: the attribute must be given
};

// Text form, as printed in {...}: 3, 1e-06, true, erf, [0,2,1], f32. Floats round trip exactly.
std::string to_text(const AttrValue& value);
// Error when `text` is not of that kind. Text attributes are words of [A-Za-z0-9_.+-/].
AttrValue attr_from_text(AttrKind kind, std::string_view text);
// Whether `text` is a word of [A-Za-z0-9_.+-/]: what text attributes, names and scopes are made of.
bool is_word(std::string_view text);

struct NamedAttr {
  NamedAttr(std::string_view n, AttrValue v) : name(n), value(std::move(v)) {}
  NamedAttr(std::string_view n, int64_t v) : name(n), value(v) {}
  NamedAttr(std::string_view n, int v) : name(n), value(int64_t{v}) {}
  NamedAttr(std::string_view n, bool v) : name(n), value(v) {}
  NamedAttr(std::string_view n, double v) : name(n), value(v) {}
  NamedAttr(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  std::string_view name;
  AttrValue value;
};

}  // namespace grimace
