// Every rule of the verifier, broken one at a time.
#include "ir/verify.h"

#include <gtest/gtest.h>

#include "tests/ir/random_graph.h"

namespace grimace {
namespace {

// A valid graph that every test breaks in one way.
class Verify : public ::testing::Test {
 protected:
  void SetUp() override {
    b.output("y", n);
    b.update(w, n);
    verify(graph);
  }
  std::string error() const {
    return testing::error_of([this] { verify(graph); });
  }

  Graph graph{"g"};
  Builder b{graph};
  Value x = b.input("x", {DType::f32, {2, 3}});
  Value w = b.param("w", {2, 3});
  Value flag = graph.add_constant("flag", {DType::boolean, {}}, std::vector<std::byte>(1));
  Value a = b.emit(op_add, {x, w}, {}, "a");
  Value n = b.emit(op_neg, {a}, {}, "n");
};

TEST_F(Verify, NamesMustBeWords) {
  graph.rename(a, "two words");
  EXPECT_EQ(error(),
            "graph 'g': node 0 (add %two words): the name of result 0 must be a word of at most "
            "1024 characters");
  graph.rename(a, std::string(1025, 'a'));
  EXPECT_NE(error(), "no error");
  graph.rename(a, "");
  EXPECT_EQ(error(), "no error");
}

TEST_F(Verify, ScopesMustBeWords) {
  graph.scope = "a scope";
  b.neg(x);
  EXPECT_EQ(error(),
            "graph 'g': node 2 (neg (a scope)): its scope must be a word of at most 1024 "
            "characters");
}

TEST_F(Verify, AnInputMustBeFoundByItsName) {
  graph.rename(x, "z");
  EXPECT_EQ(error(), "graph 'g': input 'z': the graph does not find it by its name");
  graph.rename(x, "w");
  EXPECT_EQ(error(), "graph 'g': input 'w': the graph does not find it by its name");
}

TEST_F(Verify, ConstantsHoldAllTheirBytes) {
  flag.def()->data.clear();
  EXPECT_EQ(error(),
            "graph 'g': constant 'flag': its type is bool[]: it must hold 1 bytes; it holds 0");
}

TEST_F(Verify, OnlyConstantsHoldData) {
  w.def()->data.resize(24);
  EXPECT_EQ(error(),
            "graph 'g': param 'w': its type is f32[2x3]: it must hold 0 bytes; it holds 24");
}

TEST_F(Verify, BoolsAreZeroOrOne) {
  flag.def()->data[0] = std::byte{2};
  EXPECT_EQ(error(), "graph 'g': constant 'flag': a bool must be 0 or 1");
}

TEST_F(Verify, InputsAreDefinedBeforeTheyAreUsed) {
  graph.set_input(*a.producer(), 0, n);
  EXPECT_EQ(error(),
            "graph 'g': node 0 (add %a): an input is not defined before its use in this graph");
}

TEST_F(Verify, ResultsHaveTheTypeTheOpInfers) {
  graph.set_type(a, {DType::f32, {3, 2}});
  EXPECT_EQ(error(), "graph 'g': node 0 (add %a): result 0 is f32[3x2]; the op infers f32[2x3]");
}

TEST_F(Verify, AnInputsNewTypeMustFitItsUsers) {
  graph.set_type(x, {DType::f32, {4, 3}});
  EXPECT_NE(error().find("add %a"), std::string::npos) << error();
}

TEST_F(Verify, AttributesKeepTheirKind) {
  const Value joined = b.concat({x, x}, 0);
  graph.set_attr(*joined.producer(), "axis", true);
  EXPECT_EQ(error(), "graph 'g': node 2 (concat): attribute 'axis' is of the wrong kind: true");
}

TEST_F(Verify, UseListsAreExact) {
  x.def()->users.clear();
  EXPECT_EQ(error(), "graph 'g': value 'x': its list of users is wrong");
  x.def()->users = {a.producer(), a.producer()};
  EXPECT_EQ(error(), "graph 'g': value 'x': its list of users is wrong");
}

TEST_F(Verify, GraphUsesAreExact) {
  n.def()->graph_uses = 1;
  EXPECT_EQ(error(), "graph 'g': value 'n': it counts 1 uses by outputs and updates; there are 2");
}

TEST_F(Verify, UpdatedInputsKnowIt) {
  w.def()->updated = !w.is_updated();
  EXPECT_EQ(error(), "graph 'g': value 'w': it does not know whether it is updated");
}

TEST_F(Verify, UpdatesAreOfParamsAndStatesOfTheirOwnType) {
  w.def()->role = Role::input;
  EXPECT_EQ(error(), "graph 'g': update of 'w': only a param or state can be updated");
}

TEST_F(Verify, OutputsMustBeWords) {
  b.output("the output", a);
  EXPECT_EQ(error(),
            "graph 'g': output 'the output': its name must be a word of at most 1024 characters");
}

TEST_F(Verify, ValuesBelongToTheirGraph) {
  Graph other("other");
  x.def()->graph = &other;
  EXPECT_EQ(error(), "graph 'g': input 'x': it belongs to another graph");
  x.def()->graph = &graph;
}

}  // namespace
}  // namespace grimace
