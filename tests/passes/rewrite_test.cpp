// The driver behind the rule-based passes: names, scopes, ends.
#include "ir/passes/rewrite.h"

#include "ir/op_def.h"
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

//   sub(x, y)  ->  x + neg(y)
Value sub_to_add(Builder& b, const Node& n) {
  return n.is(op_sub) ? b.add(n.input(0), b.neg(n.input(1))) : Value{};
}
//   x + y  ->  x - neg(y): undoes the rule above
Value add_to_sub(Builder& b, const Node& n) {
  return n.is(op_add) ? b.sub(n.input(0), b.neg(n.input(1))) : Value{};
}
constexpr Rule kOne[] = {sub_to_add};
constexpr Rule kOpposed[] = {sub_to_add, add_to_sub};

constexpr std::string_view kSub = R"(graph g {
    input %x : f32[4]
    input %z : f32[4]
    %y = sub %x, %z : f32[4]  # head
    output %y
  })";

TEST(Rewrite, GivesTheReplacementTheNameAndScopeOfWhatItReplaces) {
  expect_rewrite([](Graph& graph) { return rewrite(graph, kOne); }, kSub,
                 R"(graph g {
    input %x : f32[4]
    input %z : f32[4]
    %neg_0 = neg %z : f32[4]  # head
    %y = add %x, %neg_0 : f32[4]  # head
    output %y
  })",
                 1);
}

TEST(Rewrite, PassesOverDeadNodes) {
  expect_unchanged([](Graph& graph) { return rewrite(graph, kOne); }, R"(graph g {
    input %x : f32[4]
    %dead = sub %x, %x : f32[4]
    %y = neg %x : f32[4]
    output %y
  })");
}

TEST(Rewrite, StopsRulesThatUndoEachOther) {
  const auto graph = parse(kSub);
  EXPECT_THROW(rewrite(*graph, kOpposed), InternalError);
}

TEST(Rewrite, ErasesOnlyWhatNothingElseNeeds) {
  const auto graph = parse(R"(graph g {
    input %x : f32[4]
    %a = exp %x : f32[4]
    %b = neg %a : f32[4]
    %c = add %b, %b : f32[4]
    %y = neg %a : f32[4]
    output %y
  })");
  for (Node& node : graph->nodes())
    if (node.is(op_add)) {
      erase_unused(*graph, node);
      break;
    }
  EXPECT_EQ(print(*graph), canonical_text(R"(graph g {
    input %x : f32[4]
    %a = exp %x : f32[4]
    %y = neg %a : f32[4]
    output %y
  })"));
}

}  // namespace
}  // namespace grimace::testing
