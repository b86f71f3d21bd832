// The assembly of AmxTiles in every form, on the processor's AMX or by a trap (trapped_tiles.h).
// What is wanted is told by plain loops, and by the unit in plain C++ where numbers are not whole.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "backends/cpu/attention_head.h"
#include "backends/cpu/emulated_tiles.h"
#include "tests/backends/amx_fixture.h"

namespace grimace {
namespace {

using namespace cpu;
using testing::AmxInstructions;
using testing::of_rows;
using testing::random_pair;
using testing::shape;

using AllTiles = std::make_integer_sequence<int, kTiles>;
template <int... T>
constexpr auto loads(std::integer_sequence<int, T...>) {
  return std::array{&AmxTiles::load<T>...};
}
template <int... T>
constexpr auto stores(std::integer_sequence<int, T...>) {
  return std::array{&AmxTiles::store<T>...};
}
template <int... T>
constexpr auto zeros(std::integer_sequence<int, T...>) {
  return std::array{&AmxTiles::zero<T>...};
}
constexpr auto kLoad = loads(AllTiles());
constexpr auto kStore = stores(AllTiles());
constexpr auto kZero = zeros(AllTiles());

// Number 64 c + 8 a + b is of the product c += a b; null where two of them are the same.
template <int I>
constexpr auto dot_of() {
  constexpr int c = I / 64, a = I / 8 % 8, b = I % 8;
  if constexpr (c != a && c != b && a != b)
    return &AmxTiles::dot<c, a, b>;
  else
    return static_cast<void (*)()>(nullptr);
}
template <int... I>
constexpr auto dots(std::integer_sequence<int, I...>) {
  return std::array{dot_of<I>()...};
}
constexpr auto kDot = dots(std::make_integer_sequence<int, kTiles * kTiles * kTiles>());

std::vector<uint8_t> random_bytes(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<uint8_t> bytes(static_cast<size_t>(count));
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(generator());
  return bytes;
}

constexpr uint8_t kUntouched = 0xcc;

TEST_F(AmxInstructions, LoadAndStoreEveryRegisterInItsShapeAtOddStrides) {
  const auto rows = [](int t) { return 2 * t + 1; };
  const auto bytes = [](int t) { return 64 - 7 * t; };
  TileConfig config;
  for (int t = 0; t < kTiles; ++t) shape(config, t, rows(t), bytes(t));
  AmxTiles::configure(config);
  const auto memory_of = [](int t) {
    return random_bytes(16 * 128, 7u + static_cast<unsigned>(t));
  };
  for (int t = 0; t < kTiles; ++t)
    kLoad[static_cast<size_t>(t)](memory_of(t).data() + t, 65 + 2 * t);
  for (int t = 0; t < kTiles; ++t) {
    const auto at = [](int64_t i) { return static_cast<size_t>(i); };
    const std::vector<uint8_t> from = memory_of(t);
    std::vector<uint8_t> to(16 * 128, kUntouched), wanted = to;
    const int64_t stride = 127 - 4 * t;
    for (int64_t r = 0; r < rows(t); ++r)
      for (int64_t i = 0; i < bytes(t); ++i)
        wanted[at(3 + r * stride + i)] = from[at(t + r * (65 + 2 * t) + i)];
    kStore[static_cast<size_t>(t)](to.data() + 3, stride);
    EXPECT_EQ(to, wanted) << "tile " << t;
  }
}

// As the compiler must know: else it leaves out what it takes for the writes of nothing read, and
// reads for it what it wrote before.
TEST_F(AmxInstructions, ReadAndWriteMemoryInTheirTurn) {
  TileConfig config;
  shape(config, 0, 1, 4);
  AmxTiles::configure(config);
  shape(config, 1, 1, 4);
  AmxTiles::configure(config);
  uint32_t word = 1;
  AmxTiles::load<0>(&word, 0);
  word = 2;
  AmxTiles::load<1>(&word, 0);
  word = 3;
  AmxTiles::store<0>(&word, 0);
  EXPECT_EQ(word, 1u);
  word = 4;
  AmxTiles::store<1>(&word, 0);
  EXPECT_EQ(word, 2u);
}

// Memory of all eight registers, whole.
using Registers = std::array<std::array<uint32_t, kTileRows * 16>, kTiles>;
void load_all(const Registers& from) {
  for (size_t t = 0; t < kTiles; ++t) kLoad[t](from[t].data(), kTileBytes);
}
Registers stored() {
  Registers to;
  for (size_t t = 0; t < kTiles; ++t) kStore[t](to[t].data(), kTileBytes);
  return to;
}
Registers numbered() {
  Registers all;
  for (size_t t = 0; t < kTiles; ++t)
    for (size_t i = 0; i < all[t].size(); ++i) all[t][i] = static_cast<uint32_t>(1000 * t + i + 1);
  return all;
}

TEST_F(AmxInstructions, ZeroOneRegister) {
  AmxTiles::configure(whole_tiles());
  for (size_t t = 0; t < kTiles; ++t) {
    Registers wanted = numbered();
    load_all(wanted);
    kZero[t]();
    wanted[t] = {};
    EXPECT_EQ(stored(), wanted) << "tile " << t;
  }
}

TEST_F(AmxInstructions, AConfigurationZerosAllRegisters) {
  AmxTiles::configure(whole_tiles());
  load_all(numbered());
  AmxTiles::configure(whole_tiles());
  EXPECT_EQ(stored(), Registers{});
  load_all(numbered());
  AmxTiles::release();
  AmxTiles::configure(whole_tiles());
  EXPECT_EQ(stored(), Registers{});
}

TEST_F(AmxInstructions, ThreadsHaveRegistersOfTheirOwn) {
  AmxTiles::configure(whole_tiles());
  load_all(numbered());
  std::thread([] {
    AmxTiles::configure(whole_tiles());
    EXPECT_EQ(stored(), Registers{});
    AmxTiles::release();
  }).join();
  EXPECT_EQ(stored(), numbered());
}

// Whole numbers from -8 to 8, so that sums are exact.
float whole_number(std::mt19937& generator) {
  return static_cast<float>(static_cast<int>(generator() % 17) - 8);
}
std::pair<float, float> elements(uint32_t pair) {
  return {std::bit_cast<float>(pair << 16), std::bit_cast<float>(pair & 0xffff0000u)};
}

TEST_F(AmxInstructions, MultiplyTheRegistersTheyName) {
  std::mt19937 generator(1);
  Registers pairs;
  for (auto& tile : pairs)
    for (uint32_t& word : tile)
      word = Words<bf16>::zip(bf16(whole_number(generator)), bf16(whole_number(generator)));
  std::array<float, 256> sums;
  for (float& x : sums) x = whole_number(generator);
  AmxTiles::configure(whole_tiles());
  int products = 0;
  for (size_t i = 0; i < kDot.size(); ++i) {
    if (kDot[i] == nullptr) continue;
    const size_t c = i / 64, a = i / 8 % 8, b = i % 8;
    load_all(pairs);
    kLoad[c](sums.data(), kTileBytes);
    kDot[i]();
    Registers wanted = pairs;
    for (size_t m = 0; m < 16; ++m)
      for (size_t n = 0; n < 16; ++n) {
        float sum = sums[m * 16 + n];
        for (size_t k = 0; k < 16; ++k) {
          const auto [a_even, a_odd] = elements(pairs[a][m * 16 + k]);
          const auto [b_even, b_odd] = elements(pairs[b][k * 16 + n]);
          sum += a_even * b_even + a_odd * b_odd;
        }
        wanted[c][m * 16 + n] = std::bit_cast<uint32_t>(sum);
      }
    ASSERT_EQ(stored(), wanted) << c << " += " << a << " " << b;
    ++products;
  }
  EXPECT_EQ(products, 8 * 7 * 6);
}

// All that is not a number counts as one.
bool same_number(uint32_t a, uint32_t b) {
  return a == b || (std::isnan(std::bit_cast<float>(a)) && std::isnan(std::bit_cast<float>(b)));
}

// Of registers 5 += 2 7, of 11 x 7 words and 9 pairs.
template <typename Unit>
std::vector<uint32_t> small_product(const std::array<std::vector<uint32_t>, 3>& operands) {
  TileConfig config;
  shape(config, 5, 11, 4 * 7);
  shape(config, 2, 11, 4 * 9);
  shape(config, 7, 9, 4 * 7);
  Unit::configure(config);
  Unit::template load<5>(operands[0].data(), 68);
  Unit::template load<2>(operands[1].data(), 36);
  Unit::template load<7>(operands[2].data(), 52);
  Unit::template dot<5, 2, 7>();
  std::vector<uint32_t> result(16 * 17, 0x7f7f7f7f);
  Unit::template store<5>(result.data(), 68);
  Unit::release();
  return result;
}

// On AMX this is what proves the arithmetic of the unit in plain C++: sums that round, denormal
// operands, products and results, numbers that overflow and those that are not finite.
TEST_F(AmxInstructions, MultiplyNumbersOfEverySizeAsTheEmulatedUnitDoes) {
  std::mt19937 generator(2);
  const std::array<std::pair<uint32_t, uint32_t>, 5> exponents{
      {{120, 134}, {60, 67}, {0, 3}, {185, 192}, {230, 255}}};
  for (const auto& [least, most] : exponents)
    for (const uint32_t sum : {0u, 100u, 250u}) {
      std::array<std::vector<uint32_t>, 3> operands;
      for (size_t i = 0; i < 3; ++i)
        for (int w = 0; w < 16 * 17; ++w)
          operands[i].push_back(i == 0 ? random_pair(generator, sum, sum + 5)
                                       : random_pair(generator, least, most));
      const std::vector<uint32_t> got = small_product<AmxTiles>(operands);
      const std::vector<uint32_t> wanted = small_product<EmulatedTiles>(operands);
      for (size_t i = 0; i < got.size(); ++i)
        ASSERT_TRUE(same_number(got[i], wanted[i]))
            << i << " of exponents from " << least << " and " << sum;
    }
}

// Loads register 3 and stores it, with addresses in certain registers of the processor.
struct Walk {
  void (*run)(const void* from, void* to, int64_t step);
  int64_t scale;  // of the steps
};
#define TEXT(base, index, scale)                                                       \
  "mov %0, %%" base "; mov %2, %%" index "; tileloadd (%%" base ",%%" index "," #scale \
  "), %%tmm3; mov %1, %%" base "; tilestored %%tmm3, (%%" base ",%%" index "," #scale ")"
#define WALK(base, index, scale)                   \
  Walk {                                           \
    [](const void* from, void* to, int64_t step) { \
      asm volatile(TEXT(base, index, scale)        \
                   :                               \
                   : "r"(from), "r"(to), "r"(step) \
                   : base, index, "memory");       \
    },                                             \
        scale                                      \
  }
const Walk kWalks[] = {
    WALK("rax", "rcx", 1),
    WALK("rcx", "rdx", 1),
    WALK("rdx", "rbx", 1),
    WALK("rbx", "rsi", 1),
    WALK("rsi", "rdi", 1),
    WALK("rdi", "r8", 1),
    WALK("r8", "r9", 1),
    WALK("r9", "r10", 1),
    WALK("r10", "r11", 1),
    WALK("r11", "r12", 1),
    WALK("r12", "r13", 1),
    WALK("r13", "r14", 1),
    WALK("r14", "r15", 1),
    WALK("r15", "rax", 1),
    WALK("rax", "rcx", 2),
    WALK("r8", "rcx", 4),
    WALK("rax", "r12", 8),
    // No code may clobber rbp, but it may borrow it.
    {[](const void* from, void* to, int64_t step) {
       asm volatile(
           "xchg %0, %%rbp\n\ttileloadd (%%rbp,%2,1), %%tmm3\n\txchg %0, %%rbp\n\t"
           "xchg %2, %%rbp\n\ttilestored %%tmm3, (%1,%%rbp,1)\n\txchg %2, %%rbp"
           : "+a"(from), "+d"(to), "+c"(step)::"memory");
     },
     1},
    {[](const void* from, void* to, int64_t step) {
       asm volatile("tileloadd -128(%0,%2,1), %%tmm3\n\ttilestored %%tmm3, 128(%1,%2,1)" ::"r"(
                        static_cast<const char*>(from) + 128),
                    "r"(static_cast<char*>(to) - 128), "r"(step)
                    : "memory");
     },
     1}};
#undef WALK
#undef TEXT

TEST_F(AmxInstructions, FindMemoryThroughAnyRegister) {
  AmxTiles::configure(whole_tiles());
  for (const Walk& walk : kWalks)
    for (const int64_t stride : {72, -72}) {
      const std::vector<uint8_t> from = random_bytes(16 * 72, 3);
      std::vector<uint8_t> to(from.size(), kUntouched), wanted = to;
      for (size_t r = 0; r < 16; ++r) std::copy_n(&from[r * 72], 64, &wanted[r * 72]);
      const size_t first = stride < 0 ? 15 * 72 : 0;
      walk.run(&from[first], &to[first], stride / walk.scale);
      ASSERT_EQ(to, wanted) << "walk " << &walk - kWalks << ", stride " << stride;
    }
}

TEST_F(AmxInstructions, RepeatOneRowWhereNoStrideIsNamed) {
  AmxTiles::configure(whole_tiles());
  const std::vector<uint8_t> row = random_bytes(64, 5);
  std::vector<uint8_t> to(16 * 64), wanted;
  asm volatile("tileloadd (%0), %%tmm6" ::"r"(row.data()) : "memory");
  AmxTiles::store<6>(to.data(), 64);
  for (int r = 0; r < 16; ++r) wanted.insert(wanted.end(), row.begin(), row.end());
  EXPECT_EQ(to, wanted);
}

const TileConfig kStatic = of_rows(1);

// How many rows register 0 has been given.
int configured_rows() {
  uint8_t rows[16][64];
  std::memset(rows, kUntouched, sizeof(rows));
  AmxTiles::zero<0>();
  AmxTiles::store<0>(rows, 64);
  return static_cast<int>(std::count(rows[0], rows[16], 0)) / 64;
}

TEST_F(AmxInstructions, FindAConfigurationInAnyMemory) {
  asm volatile("ldtilecfg %0" ::"m"(kStatic));  // relative to the instruction
  EXPECT_EQ(configured_rows(), 1);
  AmxTiles::configure(of_rows(2));  // on the stack
  EXPECT_EQ(configured_rows(), 2);
  std::vector<TileConfig> configs(65, of_rows(16));
  for (const size_t i : {0, 1, 2, 8, 64}) configs[i] = of_rows(static_cast<int>(i) % 13 + 3);
  AmxTiles::configure(configs[0]);
  EXPECT_EQ(configured_rows(), 3);
  const TileConfig* first = configs.data();
  asm volatile("ldtilecfg 64(%0)" ::"r"(first) : "memory");
  EXPECT_EQ(configured_rows(), 4);
  asm volatile("ldtilecfg -64(%0)" ::"r"(first + 3) : "memory");
  EXPECT_EQ(configured_rows(), 5);
  asm volatile("ldtilecfg (%0,%1,8)" ::"r"(first), "r"(int64_t{64}) : "memory");
  EXPECT_EQ(configured_rows(), 11);
  asm volatile("ldtilecfg 4096(%0)" ::"r"(first) : "memory");
  EXPECT_EQ(configured_rows(), 15);
  asm volatile("ldtilecfg (,%0,1)" ::"r"(first + 1) : "memory");
  EXPECT_EQ(configured_rows(), 4);
  asm volatile("mov %0, %%r13\n\tldtilecfg (%%r13)" ::"r"(first + 2) : "r13", "memory");
  EXPECT_EQ(configured_rows(), 5);
  asm volatile("mov %0, %%r12\n\tldtilecfg (%%r12)" ::"r"(first) : "r12", "memory");
  EXPECT_EQ(configured_rows(), 3);
}

}  // namespace
}  // namespace grimace
