// The opcodes one by one: what each leaves in the tree.
#include "runtime/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"
#include "tests/runtime/pth_forge.h"
#include "tests/testing.h"

namespace grimace::testing {
namespace {

using Kind = PickleNode::Kind;
using ::testing::HasSubstr;

constexpr std::string_view kAllowed[] = {"collections.OrderedDict"};

Pickle parse(const std::string& value, const PickleLimits& limits = {}) {
  const std::string bytes = whole(value);
  return Pickle({bytes.begin(), bytes.end()}, kAllowed, "test", limits);
}
PickleNode root(const std::string& value) {
  const Pickle pickle = parse(value);
  return pickle[pickle.root()];
}
std::string error_of(const std::string& value, const PickleLimits& limits = {}) {
  return testing::error_of([&] { parse(value, limits); });
}

TEST(Pickle, integers_keep_their_sign_and_size) {
  EXPECT_EQ(root("K\xff").integer, 255);
  EXPECT_EQ(root("M\xff\xff").integer, 65535);
  EXPECT_EQ(root("J\xff\xff\xff\xff").integer, -1);
  EXPECT_EQ(root(std::string("\x8a\0", 2)).integer, 0);
  EXPECT_EQ(root("\x8a\x01\xff").integer, -1);
  EXPECT_EQ(root(std::string("\x8a\x02\xff\0", 4)).integer, 255);
  EXPECT_EQ(root(integer(INT64_MIN)).integer, INT64_MIN);
  EXPECT_THAT(error_of("\x8a\x09"
                       "123456789"),
              HasSubstr("integer of 9 bytes"));
}

TEST(Pickle, constants_and_texts_are_what_they_are) {
  EXPECT_EQ(root("N").kind, Kind::none);
  EXPECT_EQ(root("\x88").integer, 1);
  EXPECT_EQ(root("\x89").integer, 0);
  EXPECT_EQ(root(std::string("G\x3f\xe0\0\0\0\0\0\0", 9)).real, 0.5);
  for (const std::string& written : {text("abc"),
                                     std::string("\x8c\x03"
                                                 "abc"),
                                     "\x8d" + little_endian(uint64_t{3}) + "abc"}) {
    const Pickle pickle = parse(written);
    EXPECT_EQ(pickle[pickle.root()].text, "abc");
    EXPECT_EQ(pickle[pickle.root()].kind, Kind::text);
  }
  EXPECT_EQ(root("C\x03"
                 "abc")
                .kind,
            Kind::bytes);
}

TEST(Pickle, containers_hold_their_items_in_order) {
  for (const char* list : {"(K\1K\2K\3l", "](K\1K\2K\3e", "]K\1aK\2aK\3a"}) {
    const Pickle pickle = parse(list);
    const PickleNode& node = pickle[pickle.root()];
    ASSERT_EQ(node.items.size(), 3u);
    EXPECT_EQ(node.kind, Kind::list);
    for (size_t i = 0; i < 3; ++i)
      EXPECT_EQ(pickle[node.items[i]].integer, static_cast<int64_t>(i) + 1);
  }
  EXPECT_EQ(root("K\1K\2K\3\x87").items.size(), 3u);
  EXPECT_EQ(root("\x8f(K\1K\2\x90").kind, Kind::set);
}

TEST(Pickle, of_equal_keys_the_last_one_counts) {
  const Pickle pickle = parse(dict({{"a", "K\1"}, {"b", "K\2"}, {"a", "K\3"}}));
  EXPECT_EQ(pickle[pickle.find(pickle.root(), "a")].integer, 3);
  EXPECT_EQ(pickle.find(pickle.root(), "c"), kNoPickle);
  EXPECT_EQ(pickle.find(pickle[pickle.root()].items[1], "a"), kNoPickle);
}

TEST(Pickle, the_memo_shares_values) {
  const Pickle pickle = parse("(]q\1h\1h\1t");
  const auto& items = pickle[pickle.root()].items;
  EXPECT_EQ(items[0], items[2]);
  const Pickle numbered = parse("(N\x94]\x94h\1t");
  EXPECT_EQ(numbered[numbered[numbered.root()].items[2]].kind, Kind::list);
}

TEST(Pickle, calls_are_written_down_when_allowed_and_refused_when_not) {
  const std::string filled = call(global("collections", "OrderedDict"), ")") + text("k") + "K\7s";
  const Pickle pickle = parse(filled);
  EXPECT_EQ(pickle[pickle.root()].kind, Kind::call);
  EXPECT_EQ(pickle.callee(pickle.root()), "collections.OrderedDict");
  EXPECT_TRUE(pickle.is_mapping(pickle.root()));
  EXPECT_EQ(pickle[pickle.find(pickle.root(), "k")].integer, 7);
  EXPECT_THAT(error_of(call(global("os", "system"), ")")),
              HasSubstr("test: the pickle asks to call \"os.system\""));
}

TEST(Pickle, objects_of_any_class_keep_their_state) {
  const Pickle pickle = parse(global("argparse", "Namespace") + ")\x81}b");
  const PickleNode& node = pickle[pickle.root()];
  EXPECT_EQ(node.kind, Kind::object);
  EXPECT_EQ(pickle[node.state].kind, Kind::dict);
}

TEST(Pickle, limits_are_limits) {
  EXPECT_EQ(error_of("]]]aa", {.depth = 3}), "no error");
  EXPECT_THAT(error_of("]]]]aaa", {.depth = 3}), HasSubstr("nests deeper than 3"));
  EXPECT_THAT(error_of("NNN", {.opcodes = 3}), HasSubstr("more than 3 opcodes"));
  EXPECT_THAT(error_of("]]]", {.nodes = 5}), HasSubstr("more than 5 values"));
  EXPECT_THAT(error_of("Nq\x09", {.memo = 9}), HasSubstr("memo of more than 9"));
  EXPECT_THAT(error_of("((((", {.marks = 3}), HasSubstr("nests deeper than 3"));
  EXPECT_THAT(error_of("NNNN", {.bytes = 5}), HasSubstr("(limit 5)"));
}

TEST(Pickle, texts_stay_valid_when_it_is_moved) {
  Pickle first = parse(text("short"));
  const Pickle second = std::move(first);
  EXPECT_EQ(second[second.root()].text, "short");
}

}  // namespace
}  // namespace grimace::testing
