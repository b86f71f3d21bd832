// The table of all recipe keys, and values to and from text by it. Used by the recipe_*.cpp files.
#pragma once

#include <limits>
#include <span>

#include "tools/recipe.h"

namespace grimace {

// Where a key's value lives in a recipe; the type decides what values it takes.
using Slot = std::variant<bool*, int64_t*, double*, std::optional<double>*, std::string*,
                          Recipe::Size3*, std::array<double, 2>*, std::vector<std::string>*>;

// A command-line flag, written here with underscores; dashes are accepted as well. A flag with
// `on` may come bare or with true/1 (stands for `on`) or false/0 (stands for `off`); any other
// text is the value itself.
struct Flag {
  std::string name = {};
  std::string on = {};
  std::string off = {};
};

struct Key {
  std::string name = {};  // the dotted path of the field in Recipe, and in TOML
  Slot (*slot)(Recipe&) = nullptr;
  std::string meaning = {};
  std::string unit = {};
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};
  std::vector<Flag> flags = {};    // this program's own
  std::vector<Flag> authors = {};  // those of the authors' program
  bool changes_result = true;      // whether another value gives a run other parameters
  bool classifier_only = false;    // whether pre-training has no use for it

  bool is_bool() const;
};

std::span<const Key> recipe_keys();

// A flag of the authors' program that is accepted and changes nothing.
struct IdleFlag {
  std::string name = {};
  std::string why = {};
};
std::span<const IdleFlag> idle_flags();

// Throws Error "<where>: unknown key ...; did you mean ...?".
const Key& find_key(std::string_view name, const std::string& where);

SettingValue value_from_text(const Key& key, std::string_view text, const std::string& where);
// Throws Error when the value is not among the key's choices or outside its range.
void check_value(const Key& key, const SettingValue& value, const std::string& where);
SettingValue get_value(const Key& key, const Recipe& recipe);
void set_value(const Key& key, Recipe& recipe, const SettingValue& value);
// As TOML writes it: numbers in their shortest exact form, strings quoted, an unset value "none".
std::string value_to_toml(const SettingValue& value);

// Whether TOML can hold the text: whether it is UTF-8.
bool is_toml_text(const std::string& text);

// What is expected of the key's value, for messages and the docs: "an integer", ...
std::string type_name(const Key& key);
// "1 to 256", "a or b"; empty when anything of the type goes.
std::string allowed_text(const Key& key);

}  // namespace grimace
