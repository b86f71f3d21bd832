// The text form: round trips as properties over random graphs, exact error texts, damaged text.
#include "ir/text.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>

#include <regex>

#include "ir/constant_text.h"
#include "tests/ir/random_graph.h"

namespace grimace {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::random_graph;

constexpr std::string_view kExample = R"(graph lgi_ffn {
  input %x : f32[8x101x512]
  param @fc1.w : f32[2048x512]
  param @norm.w : f32[512]
  state @step : i64[]
  constant @mean : f32[3] = [0.485,-0,inf]
  constant @flags : bool[2] = [0,1]
  %h = linear %x, @fc1.w : f32[8x101x2048]  # encoder/blocks.0/mlp
  %gelu_0 = gelu %h : f32[8x101x2048]  # encoder/blocks.0/mlp
  %n, %n.1, %rstd = layer_norm %x, @norm.w, @norm.w {eps=1e-06} : f32[8x101x512], f32[8x101], f32[8x101]
  %full_0 = full {value=2, shape=[2,3], dtype=bf16} : bf16[2x3]
  output %h
  output y = %gelu_0
  output @fc1.w
  update @fc1.w = @fc1.w
}
)";

std::string parse_error(const std::string& lines) {
  return error_of([&] { parse("graph g {\n  input %x : f32[2x3]\n" + lines + "\n}\n"); });
}

bool no_worse_than_error(const std::string& text) {
  try {
    parse(text);
  } catch (const Error&) {
  }
  return true;  // anything else, or a crash, fails the test
}

TEST(Text, ParsesAndPrintsTheExampleUnchanged) {
  EXPECT_EQ(print(*parse(kExample)), kExample);
}

TEST(Text, EveryPropertyOfAGraphSurvivesTheRoundTrip) {
  EXPECT_TRUE(rc::check([](const std::vector<uint32_t>& choices) {
    const auto graph = random_graph(choices);
    const std::string text = print(*graph);
    const auto again = parse(text);
    RC_ASSERT(equal(*again, *graph));
    RC_ASSERT(print(*again) == text);
  }));
}

TEST(Text, ACloneIsEqual) {
  EXPECT_TRUE(rc::check([](const std::vector<uint32_t>& choices) {
    const auto graph = random_graph(choices);
    const auto clone = graph->clone();
    RC_ASSERT(equal(*clone, *graph));
    RC_ASSERT(print(*clone) == print(*graph));
  }));
}

TEST(Text, GraphsThatPrintDifferentlyAreNotEqual) {
  EXPECT_TRUE(rc::check([](const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
    const auto first = random_graph(a);
    const auto second = random_graph(b);
    const auto body = [](const Graph& g) { return print(g).substr(print(g).find('\n')); };
    RC_ASSERT(equal(*first, *second) == (body(*first) == body(*second)));
  }));
}

TEST(Text, EqualSeesEveryChange) {
  const std::string text(kExample);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    return !equal(*parse(text), *parse(other));
  };
  EXPECT_TRUE(changed("state @step", "param @step"));
  EXPECT_TRUE(changed("-0,inf", "0,inf"));
  EXPECT_TRUE(changed("eps=1e-06", "eps=1e-05"));
  EXPECT_TRUE(changed("blocks.0/mlp", "blocks.1/mlp"));
  EXPECT_TRUE(changed("%rstd", "%n.2"));
  EXPECT_TRUE(changed("output y", "output z"));
  EXPECT_TRUE(changed("  update @fc1.w = @fc1.w\n", ""));
  EXPECT_TRUE(changed("  output %h\n", ""));
  EXPECT_FALSE(changed("graph lgi_ffn", "graph other"));
}

TEST(Text, CollidingNamesGetASuffixInOrder) {
  Graph graph("g");
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2}});
  for (const char* name : {"h", "h", "x", "neg_4", "", "h_2"}) b.emit(op_neg, {x}, {}, name);
  EXPECT_EQ(print(graph),
            "graph g {\n"
            "  input %x : f32[2]\n"
            "  %h = neg %x : f32[2]\n"
            "  %h_2 = neg %x : f32[2]\n"
            "  %x_2 = neg %x : f32[2]\n"
            "  %neg_4 = neg %x : f32[2]\n"
            "  %neg_4_2 = neg %x : f32[2]\n"
            "  %h_2_2 = neg %x : f32[2]\n"
            "}\n");
}

TEST(Text, AutomaticNamesStayUnset) {
  const auto graph = parse(kExample);
  const auto node = std::next(graph->nodes().begin());
  EXPECT_EQ(node->result().name(), "");
  const auto norm = std::next(node);
  EXPECT_EQ(norm->result(0).name(), "n");
  EXPECT_EQ(norm->result(1).name(), "");
  EXPECT_EQ(norm->result(2).name(), "rstd");
}

TEST(Text, ANodePrintsAsItsLineWithoutTheScope) {
  const auto graph = parse(kExample);
  EXPECT_EQ(print(graph->nodes().front()), "%h = linear %x, @fc1.w : f32[8x101x2048]");
}

TEST(Text, BlanksCommentsAndWindowsLineEndsAreAllowed) {
  const auto graph = parse(
      "# a comment\r\n\r\ngraph g{ # another\r\n\tinput%x:f32[2x3]\r\n"
      "%r=reduce_sum%x{axes=[0,1] , keep = true }:f32[1x1]\n output %r\n}\n\n");
  EXPECT_EQ(print(*graph),
            "graph g {\n  input %x : f32[2x3]\n"
            "  %r = reduce_sum %x {axes=[0,1], keep=true} : f32[1x1]\n  output %r\n}\n");
}

TEST(Text, ConstantsOfEverySixteenBitPatternRoundTrip) {
  std::vector<std::byte> data(2 * 65536);
  for (size_t i = 0; i < 65536; ++i) {
    data[2 * i] = static_cast<std::byte>(i & 0xff);
    data[2 * i + 1] = static_cast<std::byte>(i >> 8);
  }
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const TensorType type{dtype, {65536}};
    EXPECT_EQ(constant_from_text(type, constant_to_text(type, data)), data) << dtype;
  }
}

TEST(Text, ConstantsOfAnyBitsRoundTrip) {
  EXPECT_TRUE(rc::check([](const std::vector<uint64_t>& words) {
    const auto data = std::as_bytes(std::span(words));
    for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::i64, DType::u8}) {
      const TensorType type{dtype, {static_cast<int64_t>(data.size()) / size_of(dtype)}};
      const auto again = constant_from_text(type, constant_to_text(type, data));
      RC_ASSERT(std::equal(again.begin(), again.end(), data.begin(), data.end()));
    }
  }));
}

TEST(Text, ConstantsPrintShortAndReadably) {
  const std::vector<float> values{0.1f, 1.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, 3e38f};
  const TensorType type{DType::f32, {8}};
  EXPECT_EQ(constant_to_text(type, std::as_bytes(std::span(values))),
            "[0.1,1,-0,inf,-inf,nan,1e-45,3e+38]");
  const uint32_t odd_nan = 0xffc00001;
  EXPECT_EQ(constant_to_text({DType::f32, {}}, std::as_bytes(std::span(&odd_nan, 1))),
            "[0xffc00001]");
}

TEST(Text, ErrorsNameTheLineAndTheReason) {
  EXPECT_EQ(parse_error("  %y = gellu %x : f32[2x3]"),
            "line 3: unknown op 'gellu'; did you mean 'gelu'?");
  EXPECT_EQ(parse_error("  %y = softmax %x {axis=1} : f32[2x3]"),
            "line 3: softmax: unknown attribute 'axis'");
  EXPECT_EQ(parse_error("  %y = concat %x, %x {axes=1} : f32[2x3]"),
            "line 3: concat: unknown attribute 'axes'; did you mean 'axis'?");
  EXPECT_EQ(parse_error("  %y = concat %x, %x {axis=one} : f32[2x3]"),
            "line 3: concat: attribute 'axis': expected an integer, got 'one'");
  EXPECT_EQ(parse_error("  %y = concat %x, %x {axis=0, axis=1} : f32[2x3]"),
            "line 3: concat %y: an attribute is given twice");
  EXPECT_EQ(parse_error("  %y = concat %x : f32[2x3]"),
            "line 3: concat %y: attribute 'axis' must be given");
  EXPECT_EQ(parse_error("  %y = add %x : f32[2x3]"), "line 3: add %y: wrong number of inputs: 1");
  EXPECT_EQ(parse_error("  %y = add %x, %z : f32[2x3]"), "line 3: '%z' is not defined above");
  EXPECT_EQ(parse_error("  %y = gelu %x : f32[3x2]"),
            "line 3: gelu %y: result 0 is f32[2x3], not f32[3x2]");
  EXPECT_EQ(
      parse_error("  %y = gelu %x : f33[3x2]"),
      "line 3: unknown element type 'f33'; known are f32, bf16, f16, f64, i32, i64, u8, bool");
  EXPECT_EQ(parse_error("  %y, %z = gelu %x : f32[2x3]"),
            "line 3: gelu has 1 results; 2 are named");
  EXPECT_EQ(parse_error("  %x = gelu %x : f32[2x3]"), "line 3: '%x' is defined twice");
  EXPECT_EQ(parse_error("  %y = gelu %x : f32[2x3] junk"),
            "line 3: expected the end of the line, got 'junk'");
  EXPECT_EQ(parse_error("  @y = gelu %x : f32[2x3]"),
            "line 3: a result's name starts with '%', got '@y'");
  EXPECT_EQ(parse_error("  inptu %z : f32[2]"),
            "line 3: unknown keyword 'inptu'; did you mean 'input'?");
  EXPECT_EQ(parse_error("  param %w : f32[2]"),
            "line 3: the name of a param starts with '@', got '%w'");
  EXPECT_EQ(parse_error("  input %x : f32[2]"), "line 3: graph 'g' already has an input 'x'");
  EXPECT_EQ(parse_error("  output x"), "line 3: expected '=', got the end of the line");
  EXPECT_EQ(parse_error("  update %x = %x"),
            "line 3: update: only a param or state can be updated; 'x' is neither");
  EXPECT_EQ(parse_error("  constant @c : f32[3] = [1,2]"),
            "line 3: expected 3 values for f32[3], got 2");
  EXPECT_EQ(parse_error("  constant @c : f16[1] = [1e6]"), "line 3: the value 1e6 is out of range");
  EXPECT_EQ(parse_error("  constant @c : u8[1] = [-1]"), "line 3: expected a value, got '-1'");
  EXPECT_EQ(parse_error("  constant @c : bool[1] = [2]"), "line 3: expected 0 or 1, got '2'");
  EXPECT_EQ(parse_error("  %y = gelu %x : f32[2x3]  # two words"),
            "line 3: a scope is one word, got ' two words'");
  EXPECT_EQ(parse_error("  \x01"), "line 3: expected plain text, got the byte 1");
  EXPECT_EQ(parse_error("}\noutput %x"),
            "line 4: expected nothing after the closing '}', got 'output %x'");
}

TEST(Text, AnIncompleteTextSaysWhatIsMissing) {
  EXPECT_EQ(error_of([] { parse(""); }), "the text is empty; expected 'graph NAME {'");
  EXPECT_EQ(error_of([] { parse("digraph g {"); }), "line 1: expected 'graph NAME {'");
  EXPECT_EQ(error_of([] { parse("graph g {\n"); }), "the text ends without a closing '}'");
}

TEST(Text, HugeDeclaredShapesAreRefusedWithoutAllocating) {
  EXPECT_EQ(
      parse_error("  param @w : f32[99999999999999]"),
      "line 3: a shape with a dimension of 99999999999999 exceeds the limit of 2^40 elements");
  EXPECT_EQ(parse_error("  param @w : f32[1048576x1048576x2]"),
            "line 3: a shape with a dimension of 2 exceeds the limit of 2^40 elements");
  EXPECT_EQ(parse_error("  param @w : f32[99999999999999999999]"),
            "line 3: expected a shape such as [8x101x512]");
  EXPECT_EQ(parse_error("  param @w : f32[1x1x1x1x1x1x1x1x1]"),
            "line 3: a shape has at most 8 dimensions");
  EXPECT_EQ(parse_error("  constant @c : f64[1099511627776] = [1]"),
            "line 3: expected 1099511627776 values for f64[1099511627776], got 1");
  EXPECT_EQ(parse_error("  %y = full {value=0, shape=[1048576,1048576,1024]} : f32[]"),
            "line 3: full %y: a shape with a dimension of 1024 exceeds the limit of 2^40 "
            "elements");
}

TEST(Text, LongNamesAndTokensAreCutInMessages) {
  EXPECT_EQ(parse_error("  %" + std::string(2000, 'n') + " = gelu %x : f32[2x3]"),
            "line 3: a name is longer than 1024 characters");
  EXPECT_THAT(parse_error("  %y = " + std::string(100, 'o') + " %x : f32[2x3]"),
              ::testing::StartsWith("line 3: unknown op '" + std::string(40, 'o') +
                                    "...'; did you mean '"));
  EXPECT_THAT(parse_error("  %y = transpose %x {permutation=[" + std::string(5000, '1') + "]}"),
              HasSubstr("attribute 'permutation' is longer than 4096 characters"));
}

TEST(Text, DamagedTextNeverDoesWorseThanAnError) {
  EXPECT_TRUE(rc::check([](const std::vector<uint32_t>& choices,
                           const std::vector<std::pair<uint32_t, char>>& edits) {
    std::string text = choices.empty() ? std::string(kExample) : print(*random_graph(choices));
    for (const auto& [place, value] : edits) {
      const size_t at = place % text.size();
      switch (place % 3) {
        case 0:
          text[at] = value;
          break;
        case 1:
          text.insert(at, text.substr(text.size() - at / 2, 5));
          break;
        default:
          text.erase(at, 1 + text.size() / 100);
      }
      if (text.empty()) text = "g";
    }
    RC_ASSERT(no_worse_than_error(text));
  }));
}

// Every op with integer attributes.
constexpr std::string_view kNumbers = R"(graph numbers {
  input %x : f32[4x6x8]
  input %mask : u8[4x6]
  input %labels : i32[4]
  input %seed : i64[]
  %index = mask_indices %mask {value=1, count=3} : i32[4x3]
  %rows = gather_rows %x, %index : f32[4x3x8]
  %back = scatter_rows %rows, %index {rows=6} : f32[4x6x8]
  %hot = one_hot %labels {classes=7} : f32[4x7]
  %table = position_table {rows=6, dim=8} : f32[6x8]
  %noise = random_uniform %seed, %seed {site=3, shape=[4,6]} : f32[4x6]
  %part = slice %x {axis=1, begin=2, end=5} : f32[4x3x8]
  %wide = pad %x {axis=2, before=1, after=2} : f32[4x6x11]
  %sum = reduce_sum %x {axes=[0,2]} : f32[6]
  %flat = reshape %x {shape=[24,8]} : f32[24x8]
  %all = broadcast %table {shape=[4,6,8]} : f32[4x6x8]
  %turned = transpose %x {permutation=[2,0,1]} : f32[8x4x6]
  %joined = concat %x, %x {axis=0} : f32[8x6x8]
}
)";

TEST(Text, ExtremeNumbersAnywhereNeverDoWorseThanAnError) {
  const std::string text(kNumbers);
  EXPECT_EQ(print(*parse(text)), text);
  const std::regex number("\\b[0-9]+\\b");
  for (auto found = std::sregex_iterator(text.begin(), text.end(), number);
       found != std::sregex_iterator(); ++found)
    for (const char* extreme :
         {"0", "-1", "2147483648", "4294967297", "9223372036854775807", "-9223372036854775808"}) {
      std::string changed = text;
      changed.replace(static_cast<size_t>(found->position()), found->str().size(), extreme);
      EXPECT_TRUE(no_worse_than_error(changed));
    }
}

TEST(Text, EveryTruncationIsAnError) {
  for (size_t size = 0; size + 2 < kExample.size(); ++size)
    EXPECT_NE(error_of([&] { parse(kExample.substr(0, size)); }), "no error") << size;
}

}  // namespace
}  // namespace grimace
