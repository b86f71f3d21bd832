// Command-line options from the table of recipe keys. CLI11 alone knows how a line splits into
// words.
#include "tools/recipe_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "ir/error.h"
#include "tools/recipe_keys.h"

namespace grimace {
namespace {

// "--part-win-size,--part_win_size"
std::string spellings(const std::string& flag) {
  std::string dashes = flag;
  std::ranges::replace(dashes, '_', '-');
  return dashes == flag ? "--" + flag : "--" + dashes + ",--" + flag;
}

// Leaves the underscore spellings out of the help.
class DashesOnly : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    std::istringstream names(CLI::Formatter::make_option_name(option, is_positional));
    std::string kept;
    for (std::string name; std::getline(names, name, ',');)
      if (name.find('_') == std::string::npos) kept += (kept.empty() ? "" : ",") + name;
    return kept;
  }
};

std::string help_text(const Key& key, const Recipe& defaults) {
  const std::string standard = value_to_toml(get_value(key, defaults));
  return standard == "\"\"" ? key.meaning : key.meaning + " (default " + standard + ")";
}

size_t list_length(const Key& key) {
  return std::visit(
      [](const auto& value) -> size_t {
        if constexpr (requires { std::tuple_size<std::decay_t<decltype(value)>>::value; })
          return value.size();
        return 1;
      },
      get_value(key, Recipe()));
}

std::string text_of(const std::string& given, const std::string& on, const std::string& off) {
  if (on.empty()) return given;
  if (given.empty() || given == "true" || given == "1") return on;
  if (given == "false" || given == "0") return off;
  return given;
}

}  // namespace

RecipeFlags::RecipeFlags(CLI::App& command, const Recipe& defaults) {
  command.formatter(std::make_shared<DashesOnly>());
  command.add_option("--config", config_, "recipe file (TOML)");
  command.add_option("--set", pairs_, "override one recipe key: --set model.encoder_depth=8")
      ->allow_extra_args(false);
  for (const Key& key : recipe_keys()) {
    std::string names;
    // A flag with its own on and off is an option of its own, and yields to the plain one.
    const auto add = [&](const std::string& flag_names, const std::string& on,
                         const std::string& off) {
      CLI::Option* option =
          command.add_option(flag_names)->description(help_text(key, defaults))->group("Recipe");
      const int most = static_cast<int>(list_length(key));
      option->expected(on.empty() ? 1 : 0, most)->type_name("");
      bound_.push_back({option, key.name, on, off});
    };
    for (const auto* flags : {&key.flags, &key.authors})
      for (const Flag& flag : *flags) {
        if (!flag.on.empty())
          add(spellings(flag.name), flag.on, flag.off);
        else
          names += (names.empty() ? "" : ",") + spellings(flag.name);
      }
    if (!names.empty()) add(names, key.is_bool() ? "true" : "", key.is_bool() ? "false" : "");
  }
  for (const IdleFlag& flag : idle_flags())
    idle_.emplace_back(command.add_option(spellings(flag.name))->expected(0, 1)->group(""),
                       cat("--", flag.name, " has no effect: ", flag.why));
}

ResolvedRecipe RecipeFlags::resolve(Settings settings) const {
  if (!config_.empty()) settings.read_toml_file(config_);
  for (const Bound& flag : bound_)
    if (flag.option->count() > 0)
      settings.set(flag.key, text_of(joined(flag.option->results(), " "), flag.on, flag.off),
                   flag.option->get_name());
  for (const auto& pair : pairs_) settings.set_pair(pair);
  ResolvedRecipe resolved = settings.resolve();
  for (const auto& [option, warning] : idle_)
    if (option->count() > 0) resolved.warnings.push_back(warning);
  return resolved;
}

}  // namespace grimace
