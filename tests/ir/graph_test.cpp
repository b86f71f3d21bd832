// Graph editing: use lists, insertion, replacement, erasure, outputs and updates.
#include "ir/graph.h"

#include <gmock/gmock.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "tests/ir/random_graph.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// x, w -> a = x + w -> n = -a, output y = n.
class GraphTest : public ::testing::Test {
 protected:
  std::vector<std::string_view> ops() const {
    std::vector<std::string_view> names;
    for (const Node& node : graph.nodes()) names.push_back(node.op_name());
    return names;
  }

  Graph graph{"g"};
  Builder b{graph};
  const TensorType type{DType::f32, {2, 3}};
  Value x = b.input("x", type);
  Value w = b.param("w", {2, 3});
  Value a = b.emit(op_add, {x, w}, {}, "a");
  Value n = b.emit(op_neg, {a}, {}, "n");
};

TEST_F(GraphTest, ValuesKnowTheirUsersAndProducers) {
  b.output("y", n);
  EXPECT_THAT(x.users(), ElementsAre(a.producer()));
  EXPECT_THAT(a.users(), ElementsAre(n.producer()));
  EXPECT_TRUE(a.single_use());
  EXPECT_FALSE(n.single_use());
  EXPECT_TRUE(n.is_output());
  EXPECT_FALSE(n.unused());
  EXPECT_TRUE(x.is_graph_input());
  EXPECT_TRUE(w.is(Role::param));
  EXPECT_FALSE(a.is(Role::input));
  EXPECT_EQ(a.producer()->describe(), "add %a");
}

TEST_F(GraphTest, ANodeThatReadsAValueTwiceIsTwoUses) {
  const Value twice = b.add(a, a);
  EXPECT_EQ(a.users().size(), 3u);
  graph.set_input(*twice.producer(), 0, x);
  EXPECT_THAT(a.users(), UnorderedElementsAre(n.producer(), twice.producer()));
  EXPECT_THAT(x.users(), ElementsAre(a.producer(), twice.producer()));
  verify(graph);
}

TEST_F(GraphTest, ReplaceUsesMovesInputsOutputsAndUpdates) {
  const Value twice = b.add(a, a);
  b.output("y", a);
  b.update(w, a);
  graph.replace_uses(a, x);
  EXPECT_TRUE(a.unused());
  EXPECT_EQ(twice.producer()->input(0), x);
  EXPECT_EQ(twice.producer()->input(1), x);
  EXPECT_EQ(graph.find_output("y"), x);
  EXPECT_EQ(graph.updates()[0].value, x);
  graph.erase(*a.producer());
  verify(graph);
}

TEST_F(GraphTest, ReplaceUsesByItselfChangesNothing) {
  graph.replace_uses(a, a);
  EXPECT_THAT(a.users(), ElementsAre(n.producer()));
  verify(graph);
}

TEST_F(GraphTest, ReplaceUsesRefusesAnotherType) {
  const Value wide = b.cast(x, DType::f64);
  EXPECT_EQ(error_of<InternalError>([&] { graph.replace_uses(a, wide); }),
            "internal error (please report): replace_uses of f32[2x3] by f64[2x3]");
}

TEST_F(GraphTest, EraseFreesTheUsesAndRefusesAUsedNode) {
  EXPECT_EQ(error_of<InternalError>([&] { graph.erase(*a.producer()); }),
            "internal error (please report): erase of add %a which is still used");
  graph.erase(*n.producer());
  EXPECT_TRUE(a.unused());
  graph.erase(*a.producer());
  EXPECT_THAT(graph.nodes(), IsEmpty());
  EXPECT_TRUE(x.unused());
  verify(graph);
}

TEST_F(GraphTest, EraseUnusedConstantsForgetsTheirNames) {
  const std::vector<float> values(6);
  b.input("spare", type);
  b.add(x, b.constant("used", {2, 3}, values));
  for (const char* name : {"c", "d"}) b.constant(name, {2, 3}, values);
  EXPECT_EQ(graph.erase_unused_constants(), 2);
  EXPECT_FALSE(graph.find_input("c"));
  EXPECT_TRUE(graph.find_input("spare"));
  EXPECT_TRUE(graph.find_input("used"));
  EXPECT_EQ(graph.inputs().size(), 4u);
  b.input("c", type);
  verify(graph);
}

TEST_F(GraphTest, InsertBeforeKeepsOrderAndScopeAndPutsTheCursorBack) {
  graph.scope = "outer";
  {
    const InsertBefore here(graph, *n.producer());
    b.exp(a);
    b.gelu(a);
    EXPECT_EQ(graph.scope, "");
  }
  EXPECT_EQ(graph.scope, "outer");
  EXPECT_EQ(b.erf(a).producer()->scope(), "outer");
  EXPECT_THAT(ops(), ElementsAre("add", "exp", "gelu", "neg", "erf"));
  EXPECT_TRUE(graph.before(*a.producer(), *n.producer()));
  EXPECT_FALSE(graph.before(*n.producer(), *a.producer()));
  EXPECT_FALSE(graph.before(*n.producer(), *n.producer()));
  verify(graph);
}

TEST_F(GraphTest, ScopesNest) {
  Value inner;
  {
    const Scope encoder(b, "encoder");
    const Scope block(b, "blocks.3");
    inner = b.neg(x);
  }
  EXPECT_EQ(inner.producer()->describe(), "neg (encoder/blocks.3)");
  EXPECT_EQ(b.neg(x).producer()->scope(), "");
}

TEST_F(GraphTest, InputsOfOneNameAreRefused) {
  EXPECT_EQ(error_of([&] { b.param("x", {2}); }), "graph 'g' already has an input 'x'");
  EXPECT_EQ(error_of([&] { b.param("", {2}); }), "a graph input needs a name");
  EXPECT_THAT(graph.inputs(Role::param), ElementsAre(w));
}

TEST_F(GraphTest, AConstantNeedsAllItsBytes) {
  EXPECT_EQ(error_of([&] { graph.add_constant("c", type, {}); }),
            "constant 'c' of type f32[2x3] needs 24 bytes; got 0");
}

TEST_F(GraphTest, UpdatesFollowTheirRules) {
  const Value small = b.slice(x, 0, 0, 1);
  EXPECT_EQ(error_of([&] { b.update(x, n); }),
            "update: only a param or state can be updated; 'x' is neither");
  EXPECT_EQ(error_of([&] { b.update(a, n); }),
            "update: only a param or state can be updated; 'a' is neither");
  EXPECT_EQ(error_of([&] { b.update(w, small); }),
            "update of 'w': its type is f32[2x3], the new value's is f32[1x3]");
  b.update(w, n);
  EXPECT_EQ(error_of([&] { b.update(w, a); }), "update: 'w' is updated twice");
  EXPECT_TRUE(w.is_updated());
  EXPECT_EQ(graph.updates().size(), 1u);
  verify(graph);
}

TEST_F(GraphTest, OutputsHaveOneNameEach) {
  b.output("y", n);
  EXPECT_EQ(error_of([&] { b.output("y", a); }), "graph 'g' already has an output 'y'");
  EXPECT_EQ(graph.find_output("y"), n);
  EXPECT_FALSE(graph.find_output("z"));
  graph.clear_outputs();
  EXPECT_TRUE(n.unused());
  verify(graph);
}

TEST_F(GraphTest, WrongAttributesAreNamed) {
  const auto error = [&](std::vector<NamedAttr> attrs) {
    return error_of([&] { b.emit(op_concat, {x, x}, std::move(attrs)); });
  };
  EXPECT_EQ(error({}), "concat: attribute 'axis' must be given");
  EXPECT_EQ(error({{"axis", 1.0}}), "concat: attribute 'axis' has the wrong kind: 1");
  EXPECT_EQ(error({{"axis", 1}, {"axes", 1}}), "concat: unknown attribute 'axes'");
  EXPECT_EQ(error({{"axis", 1}, {"axis", 1}}), "concat: an attribute is given twice");
  EXPECT_EQ(graph.nodes().size(), 2u);
}

TEST_F(GraphTest, AFailedNodeLeavesNoTrace) {
  EXPECT_EQ(error_of([&] {
              b.emit(op_concat, {x, a}, {{"axis", 7}}, "c");
            }),
            "concat %c: axis 7 is not one of f32[2x3]");
  EXPECT_EQ(x.users().size(), 1u);
  EXPECT_EQ(graph.nodes().size(), 2u);
  verify(graph);
}

TEST_F(GraphTest, ACloneIsEqualAndIndependent) {
  b.output("y", n);
  b.update(w, n);
  const auto copy = graph.clone();
  verify(*copy);
  EXPECT_TRUE(equal(*copy, graph));
  copy->clear_outputs();
  EXPECT_FALSE(copy->find_input("w").is_updated());
  copy->erase(copy->nodes().back());
  EXPECT_FALSE(equal(*copy, graph));
  EXPECT_EQ(graph.nodes().size(), 2u);
  verify(graph);
}

TEST_F(GraphTest, SetAttrChangesTheDeclaredAttribute) {
  const Value joined = b.concat({x, x}, 0);
  graph.set_attr(*joined.producer(), "axis", int64_t{1});
  EXPECT_EQ(joined.producer()->integer("axis"), 1);
  EXPECT_EQ(error_of<InternalError>([&] { joined.producer()->integer("axes"); }),
            "internal error (please report): concat has no attribute 'axes'");
}

}  // namespace
}  // namespace grimace
