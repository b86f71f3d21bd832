// Values of recipe keys: from the text of a command line, checked against the table, and back.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "ir/error.h"
#include "tools/recipe_keys.h"

namespace grimace {
namespace {

template <typename T>
constexpr bool is_list = false;
template <typename T, size_t N>
constexpr bool is_list<std::array<T, N>> = true;

std::string shortest(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";  // TOML tells floats by these
  return text;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', static_cast<char>(c)};
    } else if (c < 0x20 || c == 0x7f) {
      constexpr char hex[] = "0123456789abcdef";
      out += {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + '"';
}

std::string element_text(int64_t value) {
  return std::to_string(value);
}
std::string element_text(double value) {
  return shortest(value);
}

// "(2, 5,10)" or "2 5 10" -> {"2", "5", "10"}
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items(1);
  for (const char c : text) {
    const bool separator = std::string_view(" ,()[]").find(c) != std::string_view::npos;
    if (!separator) items.back() += c;
    if (separator && !items.back().empty()) items.emplace_back();
  }
  if (items.back().empty()) items.pop_back();
  return items;
}

template <typename T>
bool read_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool read(std::string_view text, int64_t& value) {
  return read_number(text, value);
}
bool read(std::string_view text, double& value) {
  return read_number(text, value);
}

// Also as Python writes them, for the authors' command lines.
bool read(std::string_view text, bool& value) {
  value = text == "true" || text == "True" || text == "1";
  return value || text == "false" || text == "False" || text == "0";
}

// A recipe that could not be read back would end a run that cannot be resumed.
bool read(std::string_view text, std::string& value) {
  value = text;
  return is_toml_text(value);
}

bool read(std::string_view text, std::optional<double>& value) {
  value.reset();
  return text == "none" || text == "None" || read_number(text, value.emplace());
}

template <typename T, size_t N>
bool read(std::string_view text, std::array<T, N>& list) {
  const auto items = split_list(text);
  if (items.size() != N) return false;
  for (size_t i = 0; i < N; ++i)
    if (!read_number(items[i], list[i])) return false;
  return true;
}

// Names between commas, perhaps in brackets; blanks around a name are not part of it.
bool read(std::string_view text, std::vector<std::string>& names) {
  names.clear();
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if (text.empty()) return true;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    const std::string_view part = text.substr(start, end - start);
    const size_t first = std::min(part.find_first_not_of(' '), part.size());
    const size_t last = part.find_last_not_of(' ') + 1;
    if (first >= last || !is_toml_text(names.emplace_back(part.substr(first, last - first))))
      return false;
    start = end + 1;
  }
  return true;
}

}  // namespace

SettingValue value_from_text(const Key& key, std::string_view text, const std::string& where) {
  Recipe scratch;
  const SettingValue value = std::visit(
      [&](auto* slot) -> SettingValue {
        check(read(text, *slot), where, ": ", key.name, ": expected ", type_name(key), ", got \"",
              text.substr(0, 100), "\"");
        return *slot;
      },
      key.slot(scratch));
  check_value(key, value, where);
  return value;
}

void check_value(const Key& key, const SettingValue& value, const std::string& where) {
  const auto fail = [&] {
    throw Error(cat(where, ": ", key.name, ": expected ", allowed_text(key), ", got ",
                    value_to_toml(value).substr(0, 100)));
  };
  const auto check_number = [&](auto number) {
    const auto x = static_cast<double>(number);
    if (!std::isfinite(x) || x < key.min || x > key.max) fail();
  };
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double>) check_number(v);
        if constexpr (std::is_same_v<T, std::optional<double>>)
          if (v) check_number(*v);
        if constexpr (is_list<T>)
          for (const auto element : v) check_number(element);
        if constexpr (std::is_same_v<T, std::string>)
          if (!key.choices.empty() && std::ranges::find(key.choices, v) == key.choices.end())
            fail();
      },
      value);
}

SettingValue get_value(const Key& key, const Recipe& recipe) {
  Recipe copy = recipe;
  return std::visit([](auto* slot) -> SettingValue { return *slot; }, key.slot(copy));
}

void set_value(const Key& key, Recipe& recipe, const SettingValue& value) {
  std::visit([&](auto* slot) { *slot = std::get<std::decay_t<decltype(*slot)>>(value); },
             key.slot(recipe));
}

std::string value_to_toml(const SettingValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) {
          return v ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::string>) {
          return toml_string(v);
        } else if constexpr (std::is_same_v<T, std::optional<double>>) {
          return v ? shortest(*v) : toml_string("none");
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          std::string text;
          for (const std::string& name : v) text += (text.empty() ? "" : ", ") + toml_string(name);
          return "[" + text + "]";
        } else if constexpr (is_list<T>) {
          std::string text;
          for (const auto element : v) text += (text.empty() ? "[" : ", ") + element_text(element);
          return text + "]";
        } else {
          return element_text(v);
        }
      },
      value);
}

std::string type_name(const Key& key) {
  struct Name {
    std::string operator()(bool*) { return "true or false"; }
    std::string operator()(int64_t*) { return "an integer"; }
    std::string operator()(double*) { return "a number"; }
    std::string operator()(std::optional<double>*) { return "a number or none"; }
    std::string operator()(std::string*) { return "text (UTF-8)"; }
    std::string operator()(Recipe::Size3*) { return "3 integers"; }
    std::string operator()(std::array<double, 2>*) { return "2 numbers"; }
    std::string operator()(std::vector<std::string>*) { return "names with commas between"; }
  };
  Recipe scratch;
  return std::visit(Name(), key.slot(scratch));
}

std::string allowed_text(const Key& key) {
  std::string text;
  for (const auto& choice : key.choices) text += (text.empty() ? "" : " or ") + choice;
  const auto limit = [](double x) {
    const bool whole = x == std::floor(x) && std::abs(x) < 1e15;
    return whole ? std::to_string(static_cast<int64_t>(x)) : shortest(x);
  };
  if (std::isfinite(key.min)) text = limit(key.min) + " to " + limit(key.max);
  return text;
}

}  // namespace grimace
