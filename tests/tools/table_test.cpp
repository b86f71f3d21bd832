// Text tables and numbers as people read them.
#include "tools/table.h"

#include <gtest/gtest.h>

namespace grimace {
namespace {

TEST(Table, AlignsTheFirstColumnLeftAndTheOthersRight) {
  Table table({"name", "n"});
  table.row({"a", "1,000"});
  table.rule();
  table.row({"longer", "2"});
  EXPECT_EQ(table.text(),
            "name        n\n"
            "------  -----\n"
            "a       1,000\n"
            "------  -----\n"
            "longer      2\n");
}

TEST(Table, WithoutAHeaderHasOnlyRowsAndNoSpacesAtLineEnds) {
  Table table(2, {0, 1});
  table.row({"key", ""});
  table.row({"k", "some text"});
  EXPECT_EQ(table.text(), "key\nk    some text\n");
}

TEST(Numbers, AreGroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(92'760'192), "92,760,192");
  EXPECT_EQ(grouped(-999), "-999");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
}

TEST(Numbers, BytesHaveBinaryUnits) {
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.00 KiB");
  EXPECT_EQ(bytes_text(int64_t{3} << 29), "1.50 GiB");
  EXPECT_EQ(bytes_text(int64_t{200} << 20), "200 MiB");
}

}  // namespace
}  // namespace grimace
