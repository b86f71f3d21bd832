// The tile unit that proves the AMX kernels where there is none: its arithmetic and its faults as
// the processor's manual has them; then what is built on it, and what chooses it.
#include <cstdlib>

#include "backends/cpu/amx_product.h"
#include "backends/cpu/attention_head.h"
#include "backends/cpu/emulated_tiles.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/weight_gradient.h"
#include "tests/backends/cpu_run.h"

namespace grimace {
namespace {

using namespace cpu;
using Unit = EmulatedTiles;

// What `call` says when it fails, without what opens every internal error; "" when it does not.
std::string failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const InternalError& e) {
    const std::string text = e.what();
    return text.substr(text.find("): ") + 3);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// Tile 0 is C of m x n, 1 is A of m x k pairs, 2 is B of k pairs x n.
TileConfig product_of(int m, int n, int k) {
  TileConfig config;
  const auto set = [&](int tile, int rows, int words) {
    config.rows[tile] = static_cast<uint8_t>(rows);
    config.row_bytes[tile] = static_cast<uint16_t>(4 * words);
  };
  set(0, m, n);
  set(1, m, k);
  set(2, k, n);
  return config;
}

uint32_t pair(float low, float high) {
  return Words<bf16>::zip(bf16(low), bf16(high));
}

// The one element of a product of single rows and columns, onto `start`.
float dot_of(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b, float start) {
  Unit::configure(product_of(1, 1, static_cast<int>(a.size())));
  Unit::load<0>(&start, 4);
  Unit::load<1>(a.data(), 64);
  Unit::load<2>(b.data(), 4);
  Unit::dot<0, 1, 2>();
  float sum = 0.0f;
  Unit::store<0>(&sum, 4);
  Unit::release();
  return sum;
}

TEST(EmulatedTiles, SumEvenAndOddElementsApart) {
  const uint32_t ones = pair(1, 1);
  EXPECT_EQ(dot_of({pair(1, 3)}, {pair(5, 7)}, 100.0f), 126.0f);
  // In one sum the two ones would each be lost against 2^24.
  EXPECT_EQ(dot_of({pair(0x1p24f, 1), pair(0, 1)}, {ones, ones}, 0.0f), 0x1p24f + 2);
  // Both belong to the even sum, so one is lost; fused, its square is exact.
  EXPECT_EQ(dot_of({pair(0x1p24f, 0), pair(1, 0)}, {ones, ones}, 0.0f), 0x1p24f);
  EXPECT_EQ(dot_of({pair(1, 0x1.02p12f)}, {pair(-0x1.02p24f, 0x1.02p12f)}, 0.0f), 0x1.02p16f * 2);
}

TEST(EmulatedTiles, CountDenormalsAsZerosAndMakeNone) {
  const float denormal = 0x1p-130f;
  EXPECT_EQ(dot_of({pair(denormal, 0)}, {pair(0x1p100f, 0)}, 0.0f), 0.0f);
  EXPECT_EQ(dot_of({pair(0x1p-70f, 0)}, {pair(0x1p-70f, 0)}, 0.0f), 0.0f);
  EXPECT_EQ(dot_of({pair(0, 0)}, {pair(0, 0)}, denormal), 0.0f);
  EXPECT_EQ(dot_of({pair(0x1p-63f, 0)}, {pair(0x1p-63f, 0)}, 0.0f), 0x1p-126f);
  // The even and the odd sum are normal, both together are not.
  EXPECT_EQ(dot_of({pair(0x1.8p-63f, -0x1p-63f)}, {pair(0x1p-63f, 0x1p-63f)}, 0x1p-126f),
            0x1p-126f);
}

TEST(EmulatedTiles, KeepWhatIsNotFinite) {
  EXPECT_TRUE(std::isnan(dot_of({pair(NAN, 0)}, {pair(0, 0)}, 1.0f)));
  EXPECT_EQ(dot_of({pair(INFINITY, 0)}, {pair(-2, 0)}, 1.0f), -INFINITY);
}

TEST(EmulatedTiles, HaveTheShapesTheyWereGiven) {
  constexpr int kRows = 11, kColumns = 7, kPairs = 5;
  uint32_t a[16][16], b[16][16];
  float c[16][16];
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) {
      a[i][j] = pair(static_cast<float>(i), static_cast<float>(j));
      b[i][j] = pair(static_cast<float>(i - j), 2.0f);
      c[i][j] = -1.0f;
    }
  Unit::configure(product_of(kRows, kColumns, kPairs));
  Unit::zero<0>();
  Unit::load<1>(a, 64);
  Unit::load<2>(b, 64);
  Unit::dot<0, 1, 2>();
  Unit::store<0>(c, 64);
  Unit::release();
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) {
      float wanted = -1.0f;  // outside of the shape nothing is stored
      if (i < kRows && j < kColumns) {
        wanted = 0.0f;
        for (int k = 0; k < kPairs; ++k) wanted += static_cast<float>(i * (k - j) + 2 * k);
      }
      EXPECT_EQ(c[i][j], wanted) << i << " " << j;
    }
}

TEST(EmulatedTiles, FaultWhereTheProcessorDoes) {
  float word = 0.0f;
  Unit::release();
  EXPECT_EQ(failure_of([&] { Unit::load<0>(&word, 4); }),
            "tile 0: used before tiles were configured");
  Unit::configure(product_of(1, 1, 1));
  EXPECT_EQ(failure_of([] { Unit::zero<3>(); }), "tile 3: used, but has no shape");
  EXPECT_EQ(failure_of([] { Unit::dot<0, 1, 1>(); }),
            "tile 0: the tiles of a product must be three");
  const auto product_fails = [](const TileConfig& config) {
    Unit::configure(config);
    return failure_of([] { Unit::dot<0, 1, 2>(); });
  };
  TileConfig config = product_of(2, 3, 4);
  config.rows[1] = 1;
  EXPECT_EQ(product_fails(config), "tile 0: A and C must have the same rows");
  config = product_of(2, 3, 4);
  config.row_bytes[1] = 12;
  EXPECT_EQ(product_fails(config), "tile 0: A must have as many pairs as B has rows");
  config = product_of(2, 3, 4);
  config.row_bytes[2] = 8;
  EXPECT_EQ(product_fails(config), "tile 0: B and C must have the same columns");
  config = product_of(2, 3, 4);
  config.row_bytes[0] = 10;
  EXPECT_EQ(product_fails(config), "tile 0: rows of whole words");
  Unit::release();
}

TEST(EmulatedTiles, RefuseConfigurationsThatTheProcessorRefuses) {
  const auto refusal = [](const std::function<void(TileConfig&)>& spoil) {
    TileConfig config = product_of(1, 1, 1);
    spoil(config);
    return failure_of([&] { Unit::configure(config); });
  };
  EXPECT_EQ(refusal([](TileConfig&) {}), "");
  EXPECT_EQ(refusal([](TileConfig& c) { c.palette = 2; }), "tile 0: the palette must be 1");
  EXPECT_EQ(refusal([](TileConfig& c) { c.reserved[5] = 1; }),
            "tile 0: reserved bytes of the configuration must be 0");
  EXPECT_EQ(refusal([](TileConfig& c) { c.rows[2] = 17; }), "tile 2: at most 16 rows of 64 bytes");
  EXPECT_EQ(refusal([](TileConfig& c) { c.row_bytes[2] = 68; }),
            "tile 2: at most 16 rows of 64 bytes");
  EXPECT_EQ(refusal([](TileConfig& c) { c.rows[2] = 0; }),
            "tile 2: rows without bytes, or bytes without rows");
  EXPECT_EQ(refusal([](TileConfig& c) { c.rows[8] = 1, c.row_bytes[8] = 4; }),
            "tile 8: there are 8");
}

// Small whole numbers, so that sums are exact in any order.
std::vector<bf16> whole_numbers(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<bf16> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.emplace_back(static_cast<float>(static_cast<int>(generator() % 17) - 8));
  return numbers;
}

// a [m, inner] with rows further apart, b [inner, n] in panels, c with rows further apart.
void expect_exact_product(int64_t m, int64_t n, int64_t steps, bool accumulate) {
  const int64_t inner = 2 * steps, a_row = inner + 8, ldc = n + 3;
  const std::vector<bf16> a = whole_numbers(m * a_row, 1), b = whole_numbers(inner * n, 2);
  std::vector<uint32_t> panels(static_cast<size_t>(steps * n));
  for (int64_t s = 0; s < steps; ++s)
    for (int64_t c = 0; c < n; ++c)
      panels[static_cast<size_t>((c / 16 * steps + s) * 16 + c % 16)] = Words<bf16>::zip(
          b[static_cast<size_t>(2 * s * n + c)], b[static_cast<size_t>((2 * s + 1) * n + c)]);
  std::vector<float> c(static_cast<size_t>(m * ldc), 0.5f);
  {
    const TileSession<Unit> session;
    amx_product<Unit>(m, n, steps, {a.data(), a_row * 2}, panels.data(), c.data(), ldc, accumulate);
  }
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < ldc; ++j) {
      float wanted = j < n && !accumulate ? 0.0f : 0.5f;
      for (int64_t k = 0; j < n && k < inner; ++k)
        wanted += static_cast<float>(a[static_cast<size_t>(i * a_row + k)]) *
                  static_cast<float>(b[static_cast<size_t>(k * n + j)]);
      ASSERT_EQ(c[static_cast<size_t>(i * ldc + j)], wanted)
          << m << "x" << n << "x" << steps << " at " << i << ", " << j;
    }
}

TEST(AmxProduct, IsExactInEveryArrangementOfTiles) {
  for (const int64_t m : {16, 32, 48, 64})
    for (const int64_t n : {16, 32, 48, 80})
      for (const int64_t steps : {16, 32, 80})
        for (const bool accumulate : {false, true}) expect_exact_product(m, n, steps, accumulate);
}

TEST(AmxPacking, TransposesAndZipsSquaresWithZerosBeyondTheEdge) {
  if (!has_bf16_pairs(Isa::avx512)) GTEST_SKIP() << "this machine lacks avx512bf16";
  const std::vector<bf16> x = whole_numbers(16 * 40, 3);
  const auto at = [&](int64_t r, int64_t c) { return x[static_cast<size_t>(r * 40 + c)]; };
  uint32_t square[16][16];
  for (const int64_t rows : {1, 7, 16, 19})
    for (const int64_t words : {1, 5, 16, 20}) {
      transpose_words(x.data(), 80, rows, words, square[0]);
      for (int64_t w = 0; w < 16; ++w)
        for (int64_t r = 0; r < 16; ++r)
          ASSERT_EQ(square[w][r],
                    r < rows && w < words ? Words<bf16>::zip(at(r, 2 * w), at(r, 2 * w + 1)) : 0u)
              << rows << " rows, " << words << " words, at " << w << ", " << r;
    }
  for (const int64_t rows : {1, 9, 32, 35})
    for (const int64_t columns : {1, 13, 16, 30}) {
      transpose_pairs(x.data(), 18, rows, columns, square[0], 16);
      const auto element = [&](int64_t r, int64_t c) {
        return r < rows && c < columns ? x[static_cast<size_t>(r * 18 + c)] : bf16(0.0f);
      };
      for (int64_t c = 0; c < 16; ++c)
        for (int64_t s = 0; s < 16; ++s)
          ASSERT_EQ(square[c][s], Words<bf16>::zip(element(2 * s, c), element(2 * s + 1, c)))
              << rows << " rows, " << columns << " columns, at " << c << ", " << s;
    }
  for (const int64_t count : {1, 9, 16, 30})
    for (const bool second : {false, true}) {
      zip_rows(x.data(), second ? x.data() + 40 : nullptr, count, square[0], 32);
      for (int64_t i = 0; i < (count + 15) / 16 * 16; ++i)
        ASSERT_EQ(square[i / 16 * 2][i % 16],
                  i < count ? Words<bf16>::zip(at(0, i), second ? at(1, i) : bf16(0.0f)) : 0u)
            << count << " of " << (second ? 2 : 1) << " rows at " << i;
    }
}

// Parts of a tile of tokens, several chunks of them, several blocks of rows, odd tiles at the edge.
TEST(WeightGradient, AgreesWithReference) {
  struct Case {
    int64_t tokens, rows, columns;
  };
  for (const auto& [k, m, n] :
       {Case{1, 16, 16}, {33, 48, 80}, {704, 64, 32}, {1100, 560, 48}, {2049, 32, 112}}) {
    const TensorType a{DType::bf16, {k, m}};
    const TensorType b{DType::bf16, {k, n}};
    testing::expect_kernel_agrees(
        [&](Builder& g) {
          g.emit(op_matmul, {g.input("a", a), g.input("b", b)}, {{"transpose_a", true}});
        },
        2e-6);
  }
}

TEST(WeightGradient, IsForTilesAndWholeOnesOnly) {
  MatmulSpec spec{.m = 32, .n = 16, .k = 7, .transpose_a = true, .operand = DType::bf16};
  EXPECT_TRUE(serves_weight_gradient(spec, testing::context(1, Isa::amx)));
  EXPECT_FALSE(serves_weight_gradient(spec, testing::context(1, Isa::avx512)));
  spec.n = 17;
  EXPECT_FALSE(serves_weight_gradient(spec, testing::context(1, Isa::amx)));
}

class GrimaceIsa : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* set = std::getenv("GRIMACE_ISA")) outer_ = set;
  }
  void TearDown() override {
    outer_.empty() ? unsetenv("GRIMACE_ISA") : setenv("GRIMACE_ISA", outer_.c_str(), 1);
  }
  static std::string refusal_of(const char* value) {
    setenv("GRIMACE_ISA", value, 1);
    return failure_of([] { best_isa(); });
  }

 private:
  std::string outer_;
};

TEST_F(GrimaceIsa, ForcesWhatRunsHereAndRefusesTheRest) {
  unsetenv("GRIMACE_ISA");
  const Isa best = best_isa();
  for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512, Isa::amx, Isa::amx_emulated}) {
    const std::string name(name_of(isa));
    const std::string said = refusal_of(name.c_str());
    if (runs_here(isa)) {
      EXPECT_EQ(said, "");
      EXPECT_EQ(best_isa(), isa);
    } else {
      EXPECT_EQ(said, "environment variable GRIMACE_ISA asks for " + name +
                          ", which does not run here; the best that does is " +
                          std::string(name_of(best)));
    }
  }
  EXPECT_EQ(refusal_of("neon"),
            "environment variable GRIMACE_ISA must be sse2, avx2, avx512, amx or amx-emulated; got "
            "\"neon\"");
}

TEST(AttentionPieces, HoldEveryQueryOnceAndSpreadEvenly) {
  for (const int threads : {1, 2, 3, 4, 7, 16})
    for (const int64_t heads : {1, 5, 6, 12, 300})
      for (const int64_t queries : {1, 11, 800}) {
        const HeadPieces work(testing::context(threads), heads, queries, 48);
        std::vector<int> seen(static_cast<size_t>(heads * queries));
        for (int64_t part = 0; part < threads; ++part)
          work.for_each(work.count() * part / threads, work.count() * (part + 1) / threads,
                        [&](int64_t head, int64_t first, int64_t rows) {
                          EXPECT_EQ(first % 48, 0);
                          for (int64_t r = first; r < first + rows; ++r)
                            ++seen[static_cast<size_t>(head * queries + r)];
                        });
        EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), heads * queries)
            << heads << " heads of " << queries << " among " << threads;
        if (queries == 800 && heads < 300) {
          EXPECT_EQ(work.count() % threads, 0);
        }
      }
}

}  // namespace
}  // namespace grimace
