// The recipe on a command line: --config, --set and one option per flag of the table, the authors'
// flag names included, with dashes or underscores.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/recipe.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace grimace {

class RecipeFlags {
 public:
  // Adds the options to a command, whose help names these defaults; the object must outlive the
  // parse.
  explicit RecipeFlags(CLI::App& command, const Recipe& defaults = {});
  RecipeFlags(const RecipeFlags&) = delete;
  RecipeFlags& operator=(const RecipeFlags&) = delete;

  // After the parse: --config, then flags, then --set, later ones winning. `base` comes first of
  // all (the configuration of a checkpoint, say). Throws Error as Settings does.
  ResolvedRecipe resolve(Settings base = {}) const;

 private:
  struct Bound {
    const CLI::Option* option = nullptr;
    std::string key = {}, on = {}, off = {};
  };
  std::vector<Bound> bound_;
  std::vector<std::pair<const CLI::Option*, std::string>> idle_;  // and what is said of it
  std::string config_;
  std::vector<std::string> pairs_;
};

}  // namespace grimace
