// JSON made to harm is refused by its text alone, with the place named.
#include "runtime/json_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

std::string error_of(const std::string& text) {
  try {
    parse_json(text, "x.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// {"a": [ ... {"a": []} ... ]}
std::string nested(int brackets) {
  std::string open, close;
  for (int i = 0; i < brackets; ++i) {
    open += i % 2 == 0 ? "{\"a\":" : "[";
    close.insert(0, i % 2 == 0 ? "}" : "]");
  }
  return open + "0" + close;
}

TEST(JsonText, is_parsed) {
  EXPECT_EQ(parse_json(R"({"a": [1, 2]})", "x")["a"][1], 2);
  EXPECT_EQ(error_of("{\"a\": 1"), "x.json: is not JSON");
  EXPECT_EQ(error_of("\"\xff\""), "x.json: is not JSON");
  EXPECT_EQ(error_of(""), "x.json: is not JSON");
}

TEST(JsonText, that_nests_too_deep_is_refused_unparsed) {
  EXPECT_EQ(error_of(nested(kMaxJsonDepth)), "no error");
  const std::string refusal =
      "x.json: JSON of more than 64 brackets inside one another; no file of grimace has so many";
  EXPECT_EQ(error_of(nested(kMaxJsonDepth + 1)), refusal);
  EXPECT_EQ(error_of(std::string(1'000'000, '[')), refusal);
  EXPECT_EQ(error_of("[\"\\\"]]]]\"," + nested(kMaxJsonDepth) + "]"), refusal);
}

TEST(JsonText, brackets_in_texts_and_side_by_side_do_not_count) {
  EXPECT_EQ(error_of("[\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"]"),
            "no error");
  std::string row = "[[]";
  for (int i = 0; i < 1000; ++i) row += ",[]";
  EXPECT_EQ(error_of(row + "]"), "no error");
}

TEST(JsonText, that_is_too_long_is_refused_unread) {
  EXPECT_EQ(error_of(std::string(kMaxJsonBytes, ' ') + "0"),
            "x.json: 4194305 bytes of JSON; expected at most 4194304");
  const testing::ScratchDir dir;
  std::ofstream(dir / "x.json") << "[1]";
  EXPECT_EQ(read_json(dir / "x.json")[0], 1);
  std::filesystem::resize_file(dir / "x.json", uintmax_t{1} << 32);  // a hole: takes no disk
  EXPECT_THROW(read_json(dir / "x.json"), Error);
  EXPECT_THROW(read_json(dir.path()), Error);
}

}  // namespace
}  // namespace grimace
