#include "ir/attributes.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "ir/error.h"

namespace grimace {
namespace {

template <typename Number>
Number number_from(std::string_view text, std::string_view what) {
  Number value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(status == std::errc{} && end == text.data() + text.size(), "expected ", what, ", got '",
        text, "'");
  return value;
}

std::string text_of(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

std::vector<int64_t> integers_from(std::string_view text) {
  check(text.size() >= 2 && text.front() == '[' && text.back() == ']',
        "expected a list such as [0,2,1], got '", text, "'");
  std::vector<int64_t> values;
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const size_t comma = text.find(',');
    values.push_back(number_from<int64_t>(text.substr(0, comma), "an integer"));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    check(!text.empty(), "expected an integer after ',' in a list");
  }
  return values;
}

}  // namespace

std::string to_text(const AttrValue& value) {
  struct Visitor {
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return text_of(v); }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(const std::string& v) const { return v; }
    std::string operator()(DType v) const { return std::string(name_of(v)); }
    std::string operator()(const std::vector<int64_t>& values) const {
      std::string out = "[";
      for (const int64_t v : values) out += (out.size() > 1 ? "," : "") + std::to_string(v);
      return out + "]";
    }
  };
  return std::visit(Visitor{}, value);
}

bool is_word(std::string_view text) {
  const auto in_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.+-/").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), in_word);
}

AttrValue attr_from_text(AttrKind kind, std::string_view text) {
  switch (kind) {
    case AttrKind::integer:
      return number_from<int64_t>(text, "an integer");
    case AttrKind::real:
      return number_from<double>(text, "a number");
    case AttrKind::boolean:
      check(text == "true" || text == "false", "expected true or false, got '", text, "'");
      return text == "true";
    case AttrKind::text:
      check(is_word(text), "expected a word, got '", text, "'");
      return std::string(text);
    case AttrKind::integers:
      return integers_from(text);
    case AttrKind::dtype:
      return dtype_from(text);
  }
  throw InternalError("unknown attribute kind");
}

}  // namespace grimace
