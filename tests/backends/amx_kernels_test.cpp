// The kernels of AmxTiles, on the processor's AMX or by a trap (trapped_tiles.h), against the same
// on the unit in plain C++, bit for bit. That those are right is for amx_test.cpp to say.
#include "backends/cpu/amx_product.h"
#include "backends/cpu/emulated_tiles.h"
#include "tests/backends/amx_fixture.h"
#include "tests/backends/cpu_run.h"

namespace grimace {
namespace {

using namespace cpu;
using testing::AmxInstructions;
using testing::random_pair;
using testing::TrappedTiles;

// The bits of c, whose rows are further apart than they are long, as those of a are: what is
// between them must stay.
template <typename Unit>
std::vector<uint32_t> product(int64_t m, int64_t n, int64_t steps, bool accumulate) {
  const int64_t a_words = steps + 3, ldc = n + 5;
  std::mt19937 generator(4);
  std::vector<uint32_t> a(static_cast<size_t>(m * a_words)), b(static_cast<size_t>(steps * n));
  for (uint32_t& pair : a) pair = random_pair(generator, 120, 130);
  for (uint32_t& pair : b) pair = random_pair(generator, 120, 130);
  std::vector<float> c(static_cast<size_t>(m * ldc));
  for (size_t i = 0; i < c.size(); ++i) c[i] = static_cast<float>(i);
  const TileSession<Unit> session;
  amx_product<Unit>(m, n, steps, {a.data(), a_words * 4}, b.data(), c.data(), ldc, accumulate);
  std::vector<uint32_t> bits(c.size());
  std::memcpy(bits.data(), c.data(), c.size() * 4);
  return bits;
}

TEST_F(AmxInstructions, MakeTheProductsOfTheEmulatedUnitInEveryArrangementOfTiles) {
  for (const int64_t m : {16, 32, 48, 64})
    for (const int64_t n : {16, 32, 48, 80})
      for (const int64_t steps : {16, 32, 80})
        for (const bool accumulate : {false, true})
          ASSERT_EQ(product<AmxTiles>(m, n, steps, accumulate),
                    product<EmulatedTiles>(m, n, steps, accumulate))
              << m << "x" << n << "x" << steps << (accumulate ? ", added" : "");
}

class AmxKernels : public AmxInstructions {
 protected:
  void SetUp() override {
    if (!runs_here(Isa::amx_emulated)) GTEST_SKIP() << "this machine lacks avx512bf16";
    AmxInstructions::SetUp();
  }
  // Alone, and with others, who may share a head.
  void expect_bits_of_emulated_unit(const std::function<void(Builder&)>& build) const {
    Graph graph;
    Builder b(graph);
    build(b);
    const testing::NodeRun run(graph);
    for (const int threads : {1, 3}) {
      SCOPED_TRACE(run.node.describe() + cat(" with ", threads, " threads"));
      const int64_t before = TrappedTiles::executed();
      const std::vector<Tensor> got = run.kernel(testing::context(threads, Isa::amx));
      EXPECT_TRUE(!trapped() || TrappedTiles::executed() > before) << "not on the unit of AMX";
      const std::vector<Tensor> wanted = run.kernel(testing::context(threads, Isa::amx_emulated));
      for (size_t i = 0; i < wanted.size(); ++i)
        EXPECT_TRUE(testing::same_bits(got[i], wanted[i])) << "result " << i;
    }
  }
};

// A part of a tile; several of them, odd ones at the edge; two blocks of queries.
struct Heads {
  int64_t queries, keys, heads, width;
};
const Heads kHeads[] = {{1, 1, 1, 2}, {40, 70, 3, 42}, {520, 19, 1, 18}};

void emit_attention(Builder& g, const Heads& c, bool gradient) {
  const int64_t dim = c.heads * c.width;
  const auto input = [&](const char* name, int64_t rows) {
    return g.input(name, {DType::bf16, {1, rows, dim}});
  };
  std::vector<Value> in{input("q", c.queries), input("k", c.keys), input("v", c.keys)};
  if (gradient) in.push_back(input("dy", c.queries));
  g.emit(gradient ? op_attention_grad : op_attention, in, {{"heads", c.heads}, {"scale", 0.25}});
}

TEST_F(AmxKernels, AttentionIsThatOfTheEmulatedUnit) {
  for (const Heads& c : kHeads)
    expect_bits_of_emulated_unit([&](Builder& g) { emit_attention(g, c, false); });
}

TEST_F(AmxKernels, AttentionGradientIsThatOfTheEmulatedUnit) {
  for (const Heads& c : kHeads)
    expect_bits_of_emulated_unit([&](Builder& g) { emit_attention(g, c, true); });
}

// A part of a tile of tokens; two chunks of them, two blocks of rows.
TEST_F(AmxKernels, WeightGradientIsThatOfTheEmulatedUnit) {
  for (const auto& [tokens, rows, columns] : {std::array<int64_t, 3>{7, 16, 16}, {1056, 544, 48}})
    expect_bits_of_emulated_unit([&](Builder& g) {
      g.emit(op_matmul,
             {g.input("a", {DType::bf16, {tokens, rows}}),
              g.input("b", {DType::bf16, {tokens, columns}})},
             {{"transpose_a", true}});
    });
}

}  // namespace
}  // namespace grimace
