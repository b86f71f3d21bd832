// The pieces that messages are made of.
#include "ir/error.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace grimace {
namespace {

TEST(Text, WordsAreJoinedAsTheyAreShown) {
  EXPECT_EQ(joined(std::vector<int>{}, ", "), "");
  EXPECT_EQ(joined(std::array{1, 2, 3}, "x"), "1x2x3");
  const std::vector<std::string> words{"", "b", ""};
  EXPECT_EQ(joined(words, ", "), ", b, ");
  EXPECT_EQ(joined(words, " or ", [](const std::string& w) { return "'" + w + "'"; }),
            "'' or 'b' or ''");
  struct Row {
    int number = 0;
  };
  EXPECT_EQ(joined(std::array{Row{7}, Row{8}}, "", &Row::number), "78");
}

TEST(Text, MebibytesAreRoundedUp) {
  EXPECT_EQ(mebibytes(0), "0 MiB");
  EXPECT_EQ(mebibytes(1), "1 MiB");
  EXPECT_EQ(mebibytes(int64_t{200} << 20), "200 MiB");
  EXPECT_EQ(mebibytes((int64_t{200} << 20) + 1), "201 MiB");
}

}  // namespace
}  // namespace grimace
