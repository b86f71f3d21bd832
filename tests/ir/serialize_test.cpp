// The file form: round trips as properties, every bit flip and truncation, hostile payloads.
#include "ir/serialize.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <zlib.h>

#include "ir/text.h"
#include "tests/ir/random_graph.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::random_graph;
using ::testing::StartsWith;

constexpr size_t kHeader = 24;

std::unique_ptr<Graph> example() {
  return parse(
      "graph example {\n  input %x : f32[2x3]\n  param @w : f32[4x3]\n"
      "  constant @c : bf16[2] = [0.5,nan]\n  state @step : i64[]\n"
      "  %h = linear %x, @w {epilogue=gelu} : f32[2x4]  # encoder/mlp\n"
      "  %full_0 = full {value=3} : f32[]\n"
      "  output %h\n  output @c\n  update @step = @step\n}\n");
}

// The header fits the payload again: what a hostile writer would do.
std::string sealed(std::string bytes) {
  const std::string_view payload = std::string_view(bytes).substr(kHeader);
  const auto checksum = static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(payload.data()), payload.size()));
  const uint64_t size = payload.size();
  std::memcpy(bytes.data() + 12, &checksum, sizeof(checksum));
  std::memcpy(bytes.data() + 16, &size, sizeof(size));
  return bytes;
}

std::string error_from(const std::string& bytes) {
  return error_of([&] { from_bytes(bytes); });
}

// The example with `from` replaced by `to`, of the same length, and the checksum made right.
std::string error_after(const std::string& from, const std::string& to) {
  std::string bytes = to_bytes(*example());
  bytes.replace(bytes.find(from), from.size(), to);
  return error_from(sealed(bytes));
}

TEST(Serialize, EveryGraphSurvivesTheRoundTrip) {
  EXPECT_TRUE(rc::check([](const std::vector<uint32_t>& choices) {
    const auto graph = random_graph(choices);
    const std::string bytes = to_bytes(*graph);
    const auto again = from_bytes(bytes);
    RC_ASSERT(equal(*again, *graph));
    RC_ASSERT(print(*again) == print(*graph));
    RC_ASSERT(to_bytes(*again) == bytes);
  }));
}

TEST(Serialize, EveryFlippedBitIsAnError) {
  const std::string bytes = to_bytes(*example());
  for (size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string damaged = bytes;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    EXPECT_NE(error_from(damaged), "no error") << "bit " << i;
  }
}

TEST(Serialize, EveryTruncationAndExtensionIsAnError) {
  const std::string bytes = to_bytes(*example());
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(error_from(bytes.substr(0, size)), "no error") << size;
  EXPECT_NE(error_from(bytes + '\0'), "no error");
}

TEST(Serialize, AHostilePayloadNeverDoesWorseThanAnError) {
  EXPECT_TRUE(rc::check([](const std::vector<uint32_t>& choices,
                           const std::vector<std::pair<uint32_t, char>>& edits) {
    std::string bytes = to_bytes(*random_graph(choices));
    for (const auto& [place, value] : edits) {
      const size_t at = kHeader + place % (bytes.size() - kHeader);
      if (place % 4 == 0)
        bytes.insert(at, 1, value);
      else if (place % 4 == 1 && bytes.size() > kHeader + 1)
        bytes.erase(at, 1);
      else
        bytes[at] = value;
    }
    const std::string error = error_from(sealed(bytes));
    RC_ASSERT(error.find('\n') == std::string::npos);
  }));
}

TEST(Serialize, EverySealedTruncationIsAnErrorOrAValidGraph) {
  const std::string bytes = to_bytes(*example());
  for (size_t size = kHeader; size < bytes.size(); ++size)
    error_from(sealed(bytes.substr(0, size)));
  EXPECT_EQ(error_from(sealed(bytes.substr(0, kHeader))), "the payload is damaged: it ends early");
}

TEST(Serialize, AWrongFileIsNamedAsSuch) {
  EXPECT_EQ(error_from(""), "this is not a saved graph: it does not start with GRMGRAPH");
  EXPECT_EQ(error_from("{\"a\": 1}  "),
            "this is not a saved graph: it does not start with GRMGRAPH");
  EXPECT_EQ(error_from("GRMGRAPH1234"), "the graph file is truncated: its header is incomplete");
}

TEST(Serialize, AnotherVersionSaysWhichIsReadHere) {
  std::string bytes = to_bytes(*example());
  bytes[8] = 9;
  EXPECT_EQ(error_from(bytes), "the graph file has format version 9; this build reads version 1");
}

TEST(Serialize, DamageIsToldApartFromTruncation) {
  std::string bytes = to_bytes(*example());
  const size_t payload = bytes.size() - kHeader;
  EXPECT_EQ(
      error_from(bytes.substr(0, bytes.size() - 1)),
      cat("the graph file is damaged: expected ", payload, " bytes of payload, got ", payload - 1));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  EXPECT_EQ(error_from(bytes), "the graph file is damaged: wrong checksum");
}

TEST(Serialize, UnknownThingsAreNamed) {
  EXPECT_EQ(error_after("linear", "linera"), "node 0: unknown op 'linera'; did you mean 'linear'?");
  EXPECT_EQ(error_after("epilogue", "epilogus"),
            "op 'linear' of this build has no attribute 'epilogus'");
  EXPECT_THAT(error_after("gelu", "silu"), StartsWith("linear %h (encoder/mlp): epilogue"));
  EXPECT_EQ(error_after("param", "parem"), "input 'w': unknown role 'parem'");
  EXPECT_EQ(error_after("bf16", "cf16"),
            "unknown element type 'cf16'; known are f32, bf16, f16, f64, i32, i64, u8, bool");
}

TEST(Serialize, ConstantsAndTheirDataMustAgree) {
  EXPECT_EQ(error_after("constant", "constanz"), "input 'c': unknown role 'constanz'");
  std::string bytes = to_bytes(*example());
  const size_t data = bytes.find(std::string("\x12\x04\x00\x3f", 4));  // field 2, four bytes
  ASSERT_NE(data, std::string::npos);
  EXPECT_EQ(error_from(sealed(std::string(bytes).erase(data, 6))), "constant 'c' has no data");
  EXPECT_EQ(error_from(sealed(std::string(bytes).insert(data, bytes.substr(data, 6)))),
            "the payload is damaged: 2 constants have data, 1 are declared");
}

TEST(Serialize, HostileTextIsShownOnOneCleanLine) {
  EXPECT_THAT(error_after("linear", "\n\x1b[31m"), StartsWith("node 0: unknown op '??[31m'"));
}

TEST(Serialize, ResultsThatThisBuildInfersOtherwiseAreRefused) {
  // The result's dimensions 2, 4 follow its name: "h" then a type message with "f32".
  std::string bytes = to_bytes(*example());
  const size_t dims = bytes.find(std::string("\x12\x02\x02\x04", 4));
  ASSERT_NE(dims, std::string::npos);
  bytes[dims + 3] = 5;
  EXPECT_EQ(error_from(sealed(bytes)),
            "node 0 (linear): result 0 is stored as f32[2x5]; this build infers f32[2x4]");
}

TEST(Serialize, AnInvalidGraphIsNotWritten) {
  const auto graph = example();
  graph->rename(graph->nodes().front().result(), "two words");
  EXPECT_THAT(error_of([&] { to_bytes(*graph); }), HasSubstr("must be a word"));
}

}  // namespace
}  // namespace grimace
