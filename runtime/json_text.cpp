#include "runtime/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "runtime/input_file.h"

namespace grimace {
namespace {

using nlohmann::json;

void check_size(size_t bytes, const std::string& where) {
  check(bytes <= kMaxJsonBytes, where, ": ", bytes, " bytes of JSON; expected at most ",
        kMaxJsonBytes);
}

// How deep brackets outside of strings nest; right for all text that a parser would accept.
int depth_of(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;  // whatever is escaped does not end the string
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      deepest = std::max(deepest, ++depth);
    } else if (!in_string && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

json parse_json(std::string_view text, const std::string& where) {
  check_size(text.size(), where);
  check(depth_of(text) <= kMaxJsonDepth, where, ": JSON of more than ", kMaxJsonDepth,
        " brackets inside one another; no file of grimace has so many");
  json value = json::parse(text, nullptr, false);
  check(!value.is_discarded(), where, ": is not JSON");
  return value;
}

json read_json(const std::filesystem::path& file) {
  const InputFile input(file, "a JSON file");
  check_size(static_cast<size_t>(input.size()), file.string());
  std::string text(static_cast<size_t>(input.size()), '\0');
  input.read(0, std::as_writable_bytes(std::span(text)));
  return parse_json(text, file.string());
}

}  // namespace grimace
