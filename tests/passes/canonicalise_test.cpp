// One form for each thing, every bit of the result kept.
#include "tests/passes/pass_testing.h"

namespace grimace::testing {
namespace {

// Most rules rewrite a line or two: `lines` define `y`, read through exp because an output would
// keep a value of its own.
std::string around(std::string_view inputs, std::string_view lines, std::string_view y,
                   std::string_view type) {
  return cat("graph g {\n", inputs, "\n", lines, "\n%out = exp ", y, " : ", type,
             "\noutput %out\n}");
}

// `lines`, of which %y is the last, fold into `after`, whose result is `y`.
void expect_simpler(std::string_view inputs, std::string_view lines, std::string_view type,
                    std::string_view after, std::string_view y, double tolerance = 0.0) {
  const auto clean = [](Graph& graph) {
    const int fired = canonicalise(graph);
    eliminate_dead(graph);
    return fired;
  };
  expect_rewrite(clean, around(inputs, lines, "%y", type), around(inputs, after, y, type), -1,
                 tolerance);
}

constexpr std::string_view kX = "input %x : f32[2x3]";
constexpr std::string_view kN = "f32[2x3]";

TEST(Canonicalise, DropsNeutralLiterals) {
  expect_simpler(kX, "%a = full {value=1} : f32[]\n%y = mul %x, %a : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%a = full {value=1} : f32[]\n%y = mul %a, %x : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%a = full {value=1} : f32[]\n%y = div %x, %a : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%a = full {value=0} : f32[]\n%y = sub %x, %a : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%a = full {value=-0} : f32[]\n%y = add %x, %a : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%a = full {value=1, shape=[3]} : f32[3]\n%y = mul %x, %a : f32[2x3]", kN, "",
                 "%x");
  expect_rewrite(canonicalise, R"(graph g {
    input %i : i64[]
    %zero = full {value=0, dtype=i64} : i64[]
    %j = add %i, %zero : i64[]
    %y = cast %j {to=f32} : f32[]
    output %y
  })",
                 R"(graph g {
    input %i : i64[]
    %y = cast %i {to=f32} : f32[]
    output %y
  })",
                 1);
}

// -0 + 0 is 0, 0 - x is not x, and a literal may widen the shape.
TEST(Canonicalise, KeepsLiteralsThatMatter) {
  expect_unchanged(canonicalise, R"(graph g {
    input %x : f32[2x3]
    %one = full {value=1} : f32[]
    %zero = full {value=0} : f32[]
    %minus_zero = full {value=-0} : f32[]
    %ones = full {value=1, shape=[4,2,3]} : f32[4x2x3]
    %a = add %x, %zero : f32[2x3]
    %b = sub %zero, %a : f32[2x3]
    %c = sub %b, %minus_zero : f32[2x3]
    %d = div %one, %c : f32[2x3]
    %e = mul %d, %ones : f32[4x2x3]
    output %e
  })");
}

TEST(Canonicalise, PutsALiteralSecondInACommutativeOp) {
  expect_simpler(kX, "%a = full {value=2} : f32[]\n%y = mul %a, %x : f32[2x3]", kN,
                 "%a = full {value=2} : f32[]\n%y = mul %x, %a : f32[2x3]", "%y");
}

TEST(Canonicalise, DropsDoubleNegation) {
  expect_simpler(kX, "%a = neg %x : f32[2x3]\n%y = neg %a : f32[2x3]", kN, "", "%x");
}

TEST(Canonicalise, MergesCastsThatLoseNothing) {
  constexpr std::string_view kHalf = "input %h : bf16[4]";
  expect_simpler(kHalf, "%a = cast %h {to=f32} : f32[4]\n%y = cast %a {to=bf16} : bf16[4]",
                 "bf16[4]", "", "%h");
  expect_simpler(kHalf, "%a = cast %h {to=f32} : f32[4]\n%y = cast %a {to=f64} : f64[4]", "f64[4]",
                 "%y = cast %h {to=f64} : f64[4]", "%y");
  expect_simpler("input %b : bool[4]",
                 "%a = cast %b {to=i32} : i32[4]\n%y = cast %a {to=f32} : f32[4]", "f32[4]",
                 "%y = cast %b {to=f32} : f32[4]", "%y");
  expect_simpler(kX, "%y = cast %x {to=f32} : f32[2x3]", kN, "", "%x");
}

TEST(Canonicalise, KeepsCastsThatRound) {
  expect_unchanged(canonicalise, R"(graph g {
    input %x : f32[4]
    input %i : i32[4]
    %a = cast %x {to=bf16} : bf16[4]
    %y = cast %a {to=f32} : f32[4]
    %b = cast %i {to=f32} : f32[4]
    %z = cast %b {to=f64} : f64[4]
    output %y
    output %z
  })");
}

TEST(Canonicalise, DropsMovesThatMoveNothing) {
  expect_simpler(kX, "%y = reshape %x {shape=[2,3]} : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%y = broadcast %x {shape=[2,3]} : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%y = slice %x {axis=1, begin=0, end=3} : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%y = pad %x {axis=0} : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%y = transpose %x {permutation=[0,1]} : f32[2x3]", kN, "", "%x");
  expect_simpler(kX, "%y = concat %x {axis=0} : f32[2x3]", kN, "", "%x");
}

TEST(Canonicalise, MergesMovesOfOneKind) {
  expect_simpler(kX,
                 "%a = reshape %x {shape=[6]} : f32[6]\n%y = reshape %a {shape=[3,2]} : f32[3x2]",
                 "f32[3x2]", "%y = reshape %x {shape=[3,2]} : f32[3x2]", "%y");
  expect_simpler(kX,
                 "%a = reshape %x {shape=[6]} : f32[6]\n%y = reshape %a {shape=[2,3]} : f32[2x3]",
                 kN, "", "%x");
  expect_simpler("input %x : f32[3]",
                 "%a = broadcast %x {shape=[2,3]} : f32[2x3]\n"
                 "%y = broadcast %a {shape=[4,2,3]} : f32[4x2x3]",
                 "f32[4x2x3]", "%y = broadcast %x {shape=[4,2,3]} : f32[4x2x3]", "%y");
  expect_simpler("input %x : f32[2x3x4]",
                 "%a = transpose %x {permutation=[1,2,0]} : f32[3x4x2]\n"
                 "%y = transpose %a {permutation=[2,1,0]} : f32[2x4x3]",
                 "f32[2x4x3]", "%y = transpose %x {permutation=[0,2,1]} : f32[2x4x3]", "%y");
  expect_simpler("input %x : f32[2x3x4]",
                 "%a = transpose %x {permutation=[1,2,0]} : f32[3x4x2]\n"
                 "%y = transpose %a {permutation=[2,0,1]} : f32[2x3x4]",
                 "f32[2x3x4]", "", "%x");
  expect_simpler("input %x : f32[9]",
                 "%a = slice %x {axis=0, begin=2, end=8} : f32[6]\n"
                 "%y = slice %a {axis=0, begin=1, end=4} : f32[3]",
                 "f32[3]", "%y = slice %x {axis=0, begin=3, end=6} : f32[3]", "%y");
  expect_simpler("input %x : f32[2]",
                 "%a = pad %x {axis=0, before=1, after=2} : f32[5]\n"
                 "%y = pad %a {axis=0, before=3, after=4} : f32[12]",
                 "f32[12]", "%y = pad %x {axis=0, before=4, after=6} : f32[12]", "%y");
}

TEST(Canonicalise, LeavesMovesOfTwoAxesOrTwoKindsAlone) {
  expect_unchanged(canonicalise, R"(graph g {
    input %x : f32[4x6]
    %a = slice %x {axis=0, begin=1, end=3} : f32[2x6]
    %b = slice %a {axis=1, begin=1, end=3} : f32[2x2]
    %c = pad %b {axis=0, before=1} : f32[3x2]
    %d = pad %c {axis=1, before=1} : f32[3x3]
    %e = transpose %d {permutation=[1,0]} : f32[3x3]
    %f = reshape %e {shape=[9]} : f32[9]
    %g = broadcast %f {shape=[2,9]} : f32[2x9]
    output %g
  })");
}

TEST(Canonicalise, TurnsATransposeOfUnitAxesIntoAReshape) {
  expect_simpler("input %x : f32[2x1x3]", "%y = transpose %x {permutation=[1,0,2]} : f32[1x2x3]",
                 "f32[1x2x3]", "%y = reshape %x {shape=[1,2,3]} : f32[1x2x3]", "%y");
}

TEST(Canonicalise, AbsorbsTransposesIntoMatmul) {
  constexpr double kRounding = 1e-6;
  constexpr std::string_view kInputs = "input %x : f32[2x5x3]\ninput %z : f32[2x4x5]";
  expect_simpler(kInputs,
                 "%a = transpose %x {permutation=[0,2,1]} : f32[2x3x5]\n"
                 "%b = transpose %z {permutation=[0,2,1]} : f32[2x5x4]\n"
                 "%y = matmul %a, %b : f32[2x3x4]",
                 "f32[2x3x4]",
                 "%y = matmul %x, %z {transpose_a=true, transpose_b=true} : f32[2x3x4]", "%y",
                 kRounding);
  expect_simpler(kInputs,
                 "%b = transpose %z {permutation=[0,2,1]} : f32[2x5x4]\n"
                 "%y = matmul %b, %x {transpose_a=true} : f32[2x4x3]",
                 "f32[2x4x3]", "%y = matmul %z, %x : f32[2x4x3]", "%y", kRounding);
}

// The keys of attention: heads move before rows, and the product reads them transposed.
TEST(Canonicalise, LeavesTheRestOfATransposeThatMatmulAbsorbs) {
  expect_simpler("input %q : f32[2x3x4x5]\ninput %k : f32[2x4x3x5]",
                 "%t = transpose %k {permutation=[0,2,3,1]} : f32[2x3x5x4]\n"
                 "%y = matmul %q, %t : f32[2x3x4x4]",
                 "f32[2x3x4x4]",
                 "%transpose_0 = transpose %k {permutation=[0,2,1,3]} : f32[2x3x4x5]\n"
                 "%y = matmul %q, %transpose_0 {transpose_b=true} : f32[2x3x4x4]",
                 "%y", 1e-6);
}

TEST(Canonicalise, LeavesOtherTransposesBeforeMatmulAlone) {
  expect_unchanged(canonicalise, R"(graph g {
    input %q : f32[2x3x4x5]
    input %k : f32[2x5x3x4]
    input %v : f32[2x4x3x5]
    %rows = transpose %k {permutation=[0,2,1,3]} : f32[2x3x5x4]
    %a = matmul %q, %rows : f32[2x3x4x4]
    %shared = transpose %v {permutation=[0,2,3,1]} : f32[2x3x5x4]
    %b = matmul %q, %shared : f32[2x3x4x4]
    %c = matmul %q, %shared : f32[2x3x4x4]
    output %a
    output %b
    output %c
  })");
}

TEST(Canonicalise, SlicesThePartOfAConcatThatItReads) {
  constexpr std::string_view kInputs = "input %x : f32[2x3]\ninput %z : f32[2x4]";
  constexpr std::string_view kConcat = "%a = concat %x, %z {axis=1} : f32[2x7]\n";
  expect_simpler(kInputs, cat(kConcat, "%y = slice %a {axis=1, begin=4, end=6} : f32[2x2]"),
                 "f32[2x2]", "%y = slice %z {axis=1, begin=1, end=3} : f32[2x2]", "%y");
  expect_simpler(kInputs, cat(kConcat, "%y = slice %a {axis=1, begin=0, end=3} : f32[2x3]"), kN, "",
                 "%x");
}

TEST(Canonicalise, SlicesWhatWasPadded) {
  constexpr std::string_view kPad = "%a = pad %x {axis=1, before=2, after=2} : f32[2x7]\n";
  expect_simpler(kX, cat(kPad, "%y = slice %a {axis=1, begin=2, end=5} : f32[2x3]"), kN, "", "%x");
  expect_simpler(kX, cat(kPad, "%y = slice %a {axis=1, begin=3, end=5} : f32[2x2]"), "f32[2x2]",
                 "%y = slice %x {axis=1, begin=1, end=3} : f32[2x2]", "%y");
  expect_simpler(kX, cat(kPad, "%y = slice %a {axis=1, begin=5, end=7} : f32[2x2]"), "f32[2x2]",
                 "%y = full {value=0, shape=[2,2]} : f32[2x2]", "%y");
}

TEST(Canonicalise, MakesZerosOfPaddedZeros) {
  expect_simpler("input %x : f32[3]",
                 "%a = full {value=0, shape=[2]} : f32[2]\n"
                 "%b = pad %a {axis=0, after=1} : f32[3]\n%y = mul %x, %b : f32[3]",
                 "f32[3]", "%b = full {value=0, shape=[3]} : f32[3]\n%y = mul %x, %b : f32[3]",
                 "%y");
}

TEST(Canonicalise, LeavesSlicesThatCrossAnEdgeAndPaddedOnesAlone) {
  expect_unchanged(canonicalise, R"(graph g {
    input %x : f32[2x3]
    input %z : f32[2x4]
    %a = concat %x, %z {axis=1} : f32[2x7]
    %b = slice %a {axis=1, begin=2, end=4} : f32[2x2]
    %c = slice %a {axis=0, begin=0, end=1} : f32[1x7]
    %p = pad %x {axis=1, before=2} : f32[2x5]
    %d = slice %p {axis=1, begin=1, end=3} : f32[2x2]
    %e = pad %b {axis=1, after=1} : f32[2x3]
    %one = full {value=1, shape=[2]} : f32[2]
    %f = pad %one {axis=0, after=1} : f32[3]
    output %b
    output %c
    output %d
    output %e
    output %f
  })");
}

// A graph input may be overwritten in place, so an output or update needs a value of its own.
TEST(Canonicalise, LeavesOutputsTheirOwnValues) {
  expect_unchanged(canonicalise, R"(graph g {
    input %x : f32[3]
    param @w : f32[3]
    param @v : f32[3]
    %a = reshape %x {shape=[3]} : f32[3]
    %b = neg @v : f32[3]
    %c = neg %b : f32[3]
    %d = exp %x : f32[3]
    %e = reshape %d {shape=[3]} : f32[3]
    output y = %a
    output %d
    output %e
    update @w = %c
  })");
}

}  // namespace
}  // namespace grimace::testing
