// Recipes as TOML, by the table. The only file that includes toml++, which is slow to compile.
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>

#include "ir/error.h"
#include "tools/recipe_keys.h"

namespace grimace {
namespace {

constexpr size_t max_bytes = 1 << 20;
constexpr int max_nesting = 32;

std::string place(const std::string& name, const toml::source_region& source) {
  return cat(name, ":", source.begin.line);
}

bool read(const toml::node& node, double& value) {
  if (!node.is_number()) return false;
  value = *node.value<double>();
  return true;
}

bool read(const toml::node& node, std::optional<double>& value) {
  value.reset();
  return node.value_exact<std::string>() == "none" || read(node, value.emplace());
}

template <typename T>  // bool, int64_t, std::string
bool read(const toml::node& node, T& value) {
  const auto exact = node.value_exact<T>();
  if (exact) value = *exact;
  return exact.has_value();
}

template <typename T, size_t N>
bool read(const toml::node& node, std::array<T, N>& list) {
  const toml::array* items = node.as_array();
  if (items == nullptr || items->size() != N) return false;
  for (size_t i = 0; i < N; ++i)
    if (!read((*items)[i], list[i])) return false;
  return true;
}

bool read(const toml::node& node, std::vector<std::string>& names) {
  const toml::array* items = node.as_array();
  if (items == nullptr) return false;
  names.resize(items->size());
  for (size_t i = 0; i < items->size(); ++i)
    if (!read((*items)[i], names[i])) return false;
  return true;
}

// "string", "array (integer, integer)"
std::string describe(const toml::node& node) {
  if (!node.is_array()) return cat(node.type());
  const toml::array& items = *node.as_array();
  std::string types;
  for (size_t i = 0; i < std::min<size_t>(items.size(), 4); ++i)
    types += (i == 0 ? "" : ", ") + cat(items[i].type());
  return cat("array (", types, items.size() > 4 ? ", ...)" : ")");
}

SettingValue read_value(const Key& key, const toml::node& node, const std::string& where) {
  Recipe scratch;
  const SettingValue value = std::visit(
      [&](auto* slot) -> SettingValue {
        check(read(node, *slot), where, ": ", key.name, ": expected ", type_name(key), ", got ",
              describe(node));
        return *slot;
      },
      key.slot(scratch));
  check_value(key, value, where);
  return value;
}

void collect(const toml::table& table, const std::string& prefix, const std::string& name,
             std::map<const Key*, SettingValue>& values) {
  for (const auto& [part, node] : table) {
    const std::string path = prefix + std::string(part.str());
    const bool is_key = std::ranges::count(recipe_keys(), path, &Key::name) > 0;
    if (node.is_table() && !is_key) {
      collect(*node.as_table(), path + ".", name, values);
    } else {
      const std::string where = place(name, part.source());
      const Key& key = find_key(path, where);
      values[&key] = read_value(key, node, where);
    }
  }
}

// Where the string that opens at `i` has its last quote, or its line the last character where it
// has none.
size_t string_end(std::string_view text, size_t i) {
  const char quote = text[i];
  const auto quotes = [&](size_t at) {  // together from there on; a string ends with five at most
    size_t count = 0;
    while (count < 5 && at + count < text.size() && text[at + count] == quote) ++count;
    return count;
  };
  const bool many_lines = quotes(i) >= 3;
  if (!many_lines && quotes(i) == 2) return i + 1;
  for (i += many_lines ? 3 : 1; i < text.size(); ++i) {
    if (text[i] == quote && !many_lines) return i;
    if (text[i] == quote && quotes(i) >= 3) return i + quotes(i) - 1;
    if (text[i] == '\n' && !many_lines) return i - 1;
    if (text[i] == '\\' && quote == '"') ++i;
  }
  return text.size();
}

// toml++ makes tables of the parts of a key in a loop, but takes them apart by recursion.
void check_nesting(std::string_view text, const std::string& name) {
  int dots = 0, brackets = 0;
  int64_t line = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      const size_t end = string_end(text, i);
      line += std::ranges::count(text.substr(i, end - i), '\n');
      i = end;
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (c == '.') {
      ++dots;
    } else if (std::string_view("[]{}=,\n").find(c) != std::string_view::npos) {
      dots = 0;
      brackets += c == '[' || c == '{' ? 1 : 0;
      brackets -= c == ']' || c == '}' ? 1 : 0;
      line += c == '\n' ? 1 : 0;
    }
    check(dots <= max_nesting && brackets <= max_nesting, name, ":", line, ": more than ",
          max_nesting, " tables inside one another; a key has two parts, as optim.lr");
  }
}

}  // namespace

bool is_toml_text(const std::string& text) {
  try {
    return toml::parse("text = " + value_to_toml(text)).size() == 1;
  } catch (const toml::parse_error&) {
    return false;
  }
}

void Settings::read_toml(std::string_view text, const std::string& name) {
  check(text.size() <= max_bytes, name, ": a recipe has at most ", max_bytes, " bytes");
  check_nesting(text, name);
  try {
    collect(toml::parse(text), "", name, values_);
  } catch (const toml::parse_error& error) {
    std::string line(error.description());
    std::ranges::replace(line, '\n', ' ');
    throw Error(cat(place(name, error.source()), ": not TOML: ", line));
  }
}

void Settings::read_toml_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  check(file.good() && !std::filesystem::is_directory(path), path.string(),
        ": cannot read the recipe; expected a TOML file");
  std::string text(max_bytes + 1, '\0');
  file.read(text.data(), max_bytes + 1);
  text.resize(static_cast<size_t>(file.gcount()));
  read_toml(text, path.string());
}

Recipe recipe_from_toml(std::string_view text, const std::string& name) {
  Settings settings;
  settings.read_toml(text, name);
  return settings.resolve().recipe;
}

std::string to_toml(const Recipe& recipe) {
  std::string text, group;
  for (const Key& key : recipe_keys()) {
    const auto dot = key.name.find('.');
    if (key.name.substr(0, dot) != group) {
      text += text.empty() ? "" : "\n";
      group = key.name.substr(0, dot);
      text += "[" + group + "]\n";
    }
    text += key.name.substr(dot + 1) + " = " + value_to_toml(get_value(key, recipe)) + "\n";
  }
  return text;
}

}  // namespace grimace
