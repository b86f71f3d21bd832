// Recipes as TOML, by the table. The only file that includes toml++, which is slow to compile.
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>

#include "ir/error.h"
#include "tools/recipe_keys.h"

namespace grimace {
namespace {

constexpr std::streamsize max_file_bytes = 1 << 20;

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

}  // namespace

bool is_toml_text(const std::string& text) {
  try {
    return toml::parse("text = " + value_to_toml(text)).size() == 1;
  } catch (const toml::parse_error&) {
    return false;
  }
}

void Settings::read_toml(std::string_view text, const std::string& name) {
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
  std::string text(max_file_bytes + 1, '\0');
  file.read(text.data(), max_file_bytes + 1);
  text.resize(static_cast<size_t>(file.gcount()));
  check(file.gcount() <= max_file_bytes, path.string(), ": a recipe has at most ", max_file_bytes,
        " bytes");
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
