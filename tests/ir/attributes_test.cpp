// Attributes to text and back, and the texts that are refused.
#include "ir/attributes.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>

#include "tests/ir/random_graph.h"

namespace grimace {
namespace {

using testing::error_of;

TEST(Attributes, EveryKindHasItsText) {
  EXPECT_EQ(to_text(int64_t{-3}), "-3");
  EXPECT_EQ(to_text(1e-6), "1e-06");
  EXPECT_EQ(to_text(2.0), "2");
  EXPECT_EQ(to_text(true), "true");
  EXPECT_EQ(to_text(std::string("gelu.erf")), "gelu.erf");
  EXPECT_EQ(to_text(std::vector<int64_t>{0, 2, -1}), "[0,2,-1]");
  EXPECT_EQ(to_text(std::vector<int64_t>{}), "[]");
  EXPECT_EQ(to_text(DType::bf16), "bf16");
}

TEST(Attributes, TheTextReadsBackAsTheSameKindAndValue) {
  for (const AttrValue& value : {AttrValue(INT64_MIN), AttrValue(0.1), AttrValue(false),
                                 AttrValue(std::string("a/b")), AttrValue(std::vector<int64_t>{}),
                                 AttrValue(std::vector<int64_t>{7}), AttrValue(DType::boolean)})
    EXPECT_EQ(attr_from_text(static_cast<AttrKind>(value.index()), to_text(value)), value);
}

TEST(Attributes, AnyDoubleRoundTripsExactly) {
  EXPECT_TRUE(rc::check([](uint64_t bits) {
    const auto value = std::bit_cast<double>(bits);
    const auto again = std::get<double>(attr_from_text(AttrKind::real, to_text(value)));
    RC_ASSERT((std::isnan(value) ? std::isnan(again) : std::bit_cast<uint64_t>(again) == bits));
  }));
}

TEST(Attributes, TextOfAnotherKindIsRefused) {
  const auto error = [](AttrKind kind, std::string_view text) {
    return error_of([&] { attr_from_text(kind, text); });
  };
  EXPECT_EQ(error(AttrKind::integer, "1.5"), "expected an integer, got '1.5'");
  EXPECT_EQ(error(AttrKind::integer, "99999999999999999999"),
            "expected an integer, got '99999999999999999999'");
  EXPECT_EQ(error(AttrKind::real, "1e"), "expected a number, got '1e'");
  EXPECT_EQ(error(AttrKind::boolean, "1"), "expected true or false, got '1'");
  EXPECT_EQ(error(AttrKind::text, "two words"), "expected a word, got 'two words'");
  EXPECT_EQ(error(AttrKind::text, ""), "expected a word, got ''");
  EXPECT_EQ(error(AttrKind::integers, "1,2"), "expected a list such as [0,2,1], got '1,2'");
  EXPECT_EQ(error(AttrKind::integers, "[1,]"), "expected an integer after ',' in a list");
  EXPECT_EQ(error(AttrKind::integers, "[1,x]"), "expected an integer, got 'x'");
}

TEST(Attributes, WordsAreLettersDigitsAndAFewSigns) {
  EXPECT_TRUE(is_word("encoder/blocks.0/attn_qkv+res-1"));
  for (const char* text : {"", "a b", "a,b", "%a", "a\n", "\xc3\xa9", "a{"})
    EXPECT_FALSE(is_word(text)) << text;
}

}  // namespace
}  // namespace grimace
