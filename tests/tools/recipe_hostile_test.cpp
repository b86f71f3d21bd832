// Recipes made to harm, as files and inside checkpoints: refused by their text, before tables of it
// are built.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"
#include "runtime/checkpoint.h"
#include "tests/testing.h"
#include "tools/model_source.h"

namespace grimace {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

std::string toml_error(const std::string& toml) {
  return error_of([&] { recipe_from_toml(toml, "r.toml"); });
}

// "a.a.a"
std::string dotted(int parts, const std::string& part = "a", const std::string& dot = ".") {
  std::string key = part;
  for (int i = 1; i < parts; ++i) key += dot + part;
  return key;
}

const std::string kRefusal =
    ": more than 32 tables inside one another; a key has two parts, as optim.lr";

TEST(HostileRecipe, keys_of_many_parts_are_refused) {
  const std::string key = dotted(100'000);
  EXPECT_EQ(toml_error(key + " = 1"), "r.toml:1" + kRefusal);
  EXPECT_EQ(toml_error("# one\n[" + key + "]\n"), "r.toml:2" + kRefusal);
  EXPECT_EQ(toml_error("[[" + key + "]]"), "r.toml:1" + kRefusal);
  EXPECT_EQ(toml_error("x = {" + key + " = 1}"), "r.toml:1" + kRefusal);
  EXPECT_EQ(toml_error(dotted(1000, "\"a\"") + " = 1"), "r.toml:1" + kRefusal);
  EXPECT_EQ(toml_error(dotted(1000, "'a'", " . ") + " = 1"), "r.toml:1" + kRefusal);
  EXPECT_THAT(toml_error(dotted(33) + " = 1"), HasSubstr("unknown key"));
  EXPECT_EQ(toml_error(dotted(34) + " = 1"), "r.toml:1" + kRefusal);
}

TEST(HostileRecipe, values_that_nest_are_refused) {
  EXPECT_EQ(toml_error("a = " + std::string(100'000, '[')), "r.toml:1" + kRefusal);
  std::string tables;
  for (int i = 0; i < 200; ++i) tables += "{a = ";
  EXPECT_EQ(toml_error("a = " + tables), "r.toml:1" + kRefusal);
}

TEST(HostileRecipe, strings_and_comments_hide_nothing_and_count_for_nothing) {
  const std::string dots(1000, '.'), many = dotted(1000) + " = 1";
  for (const std::string text :
       {"'''\n'a''b'''", "\"\"\"\n\\\"\"\"b\"\"\"", "''", "\"\"", "'\\'", "\"\\\"\"", "'''a''''",
        "'''a'''''", "\"\"\"a\"\"\"\"", "\"\"\"a\"\"\"\"\"", "1 # '", "1 # \"\"\""}) {
    EXPECT_THAT(toml_error("run.out = " + text + "\n" + many), HasSubstr(kRefusal)) << text;
    EXPECT_THAT(toml_error("run.out = [" + text + "\n, {" + many + "}]"), HasSubstr(kRefusal))
        << text;
  }
  for (const std::string& text : {"'" + dots + "'", "\"" + dots + "\"", "'''\n" + dots + "'''",
                                  "\"\"\"" + dots + "\"\"\"", "'x' # " + dots + "[[[[{{{{"})
    EXPECT_EQ(toml_error("run.out = " + text + "\n"), "no error") << text.substr(0, 5);
}

TEST(HostileRecipe, that_a_checkpoint_holds_are_refused_with_its_name) {
  const testing::ScratchDir dir;
  const Tensor weight(DType::f32, {3});
  const NamedView tensors[] = {{"norm.weight", weight.view()}};
  const auto error = [&](const std::string& recipe) {
    const auto file = save_checkpoint(dir.path(), {.config = recipe}, tensors, 0);
    const std::string text = error_of([&] { open_model_source(file.string()); });
    EXPECT_THAT(text, HasSubstr(file.string() + ": its recipe"));
    EXPECT_THAT(text, Not(HasSubstr("\n")));
    return text;
  };
  EXPECT_THAT(error(dotted(100'000) + " = 1"), HasSubstr(kRefusal));
  EXPECT_THAT(error(std::string(1 << 21, '\n')), HasSubstr("a recipe has at most 1048576 bytes"));
}

}  // namespace
}  // namespace grimace
