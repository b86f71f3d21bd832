// Suggestions for mistyped words.
#include "tools/suggest.h"

#include <gtest/gtest.h>

namespace grimace {
namespace {

TEST(Suggest, FindsTheWordMeant) {
  const std::vector<std::string> known{"pretrain", "verify", "graph", "doctor"};
  EXPECT_EQ(suggestion("pretrian", known), "pretrain");
  EXPECT_EQ(suggestion("doc", known), "doctor");
  EXPECT_EQ(suggestion("grap", known), "graph");
}

TEST(Suggest, StaysSilentWhenNothingIsNear) {
  const std::vector<std::string> known{"pretrain", "verify", "graph", "doctor"};
  EXPECT_EQ(suggestion("frobnicate", known), "");
  EXPECT_EQ(suggestion("x", known), "");
  EXPECT_EQ(suggestion("", known), "");
  EXPECT_EQ(suggestion(std::string(100000, 'a'), known), "");
}

TEST(Suggest, CountsInsertionsDeletionsAndChanges) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
}

}  // namespace
}  // namespace grimace
