// Philox against the known answers of its authors (Random123, kat_vectors), and what random_uniform
// promises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ir/interpret.h"
#include "ir/philox.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;

TEST(Philox, gives_the_known_answers) {
  EXPECT_THAT(philox(0, 0, 0), ElementsAre(0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u));
  constexpr uint64_t kOnes = ~uint64_t{0};
  EXPECT_THAT(philox(kOnes, kOnes, kOnes),
              ElementsAre(0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu));
  // The digits of pi: counter words 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0.
  EXPECT_THAT(philox(0x299f31d0'a4093822, 0x03707344'13198a2e, 0x85a308d3'243f6a88),
              ElementsAre(0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u));
}

std::vector<float> draw(int64_t seed, int64_t step, int64_t site, const Shape& shape) {
  Graph graph;
  Builder b(graph);
  const TensorType scalar{DType::i64, {}};
  b.output("u", b.random_uniform(b.input("seed", scalar), b.input("step", scalar), site, shape));
  std::map<std::string, Buffer> inputs{{"seed", Buffer(scalar)}, {"step", Buffer(scalar)}};
  inputs.at("seed").view().as<int64_t>()[0] = seed;
  inputs.at("step").view().as<int64_t>()[0] = step;
  const Interpretation result = interpret(graph, inputs);
  const auto numbers = result.outputs.at("u").view().as<float>();
  return {numbers.begin(), numbers.end()};
}

TEST(RandomUniform, is_uniform_in_zero_to_one) {
  const std::vector<float> draws = draw(1, 2, 3, {100000});
  double sum = 0.0;
  std::array<int, 10> bins{};
  for (const float u : draws) {
    ASSERT_GE(u, 0.0f);
    ASSERT_LT(u, 1.0f);
    sum += u;
    ++bins[static_cast<size_t>(u * 10.0f)];
  }
  // Five standard deviations: of a mean 0.29 / sqrt(n), of a count sqrt(n * 0.1 * 0.9).
  EXPECT_NEAR(sum / 100000, 0.5, 5 * 0.2887 / 316.2);
  for (const int count : bins) EXPECT_NEAR(count, 10000, 5 * 95);
}

TEST(RandomUniform, is_a_function_of_seed_step_site_and_element_alone) {
  const std::vector<float> draws = draw(1, 2, 3, {24});
  EXPECT_EQ(draws, draw(1, 2, 3, {24}));
  EXPECT_EQ(draws, draw(1, 2, 3, {4, 1, 6}));
  EXPECT_EQ(draws, draw(1, 2, 3, {6, 4}));
  const std::vector<float> longer = draw(1, 2, 3, {31});
  EXPECT_TRUE(std::equal(draws.begin(), draws.end(), longer.begin()));
  EXPECT_NE(draws, draw(4, 2, 3, {24}));
  EXPECT_NE(draws, draw(1, 4, 3, {24}));
  EXPECT_NE(draws, draw(1, 2, 4, {24}));
}

}  // namespace
}  // namespace grimace
