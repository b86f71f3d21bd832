// What every test of a model shares: a tiny model and a graph that is built in f32, as models are,
// and run in f64 by the interpreter, on inputs that are functions of their names.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "ir/interpret.h"
#include "ir/passes/passes.h"
#include "ir/philox.h"
#include "models/config.h"
#include "tests/op_cases.h"
#include "tests/testing.h"

namespace grimace::testing {

using Numbers = std::vector<double>;

// A grid of 4x4x4 tokens in 4 regions of 2x2x4: two regions in time, two in height.
inline ModelConfig tiny_config() {
  ModelConfig c;
  c.image = 8;
  c.patch = 2;
  c.frames = 8;
  c.embed_dim = 8;
  c.heads = 2;
  c.depth = 2;
  c.region = {2, 2, 4};
  c.decoder_dim = 8;
  c.decoder_heads = 2;
  c.decoder_depth = 1;
  c.classes = 3;
  return c;
}

// Uniform in [-1,1), the same for the same name.
inline Numbers drawn(const std::string& name, int64_t count) {
  PhiloxStream random(11, stream_id(name));
  Numbers values(static_cast<size_t>(count));
  for (double& value : values) value = random.uniform(-1.0, 1.0);
  return values;
}

inline Numbers counting(int64_t count) {
  Numbers values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  return values;
}

class Trial {
 public:
  // Floats that are not set are drawn(name), integers are 0.
  void set(const std::string& name, Numbers values) { given_[name] = std::move(values); }

  std::map<std::string, Numbers> run() const {
    const auto wide = graph.clone();
    convert_floats(*wide, DType::f64);
    std::map<std::string, Buffer> inputs;
    for (const Value& input : wide->inputs())
      if (!input.is(Role::constant)) inputs.emplace(input.name(), filled(input));
    std::map<std::string, Numbers> result;
    for (const auto& [name, buffer] : interpret(*wide, inputs).outputs)
      result[name] = numbers_of(buffer.view());
    return result;
  }

  Graph graph;
  Builder b{graph};

 private:
  Buffer filled(const Value& input) const {
    Buffer buffer(input.type());
    const auto given = given_.find(input.name());
    const Numbers values =
        given == given_.end() ? drawn(input.name(), input.shape().numel()) : given->second;
    const auto copy = [&](auto zero) {
      const auto to = buffer.view().as<decltype(zero)>();
      internal_check(to.size() == values.size(), "test: '", input.name(), "' has ", to.size(),
                     " values; got ", values.size());
      std::transform(values.begin(), values.end(), to.begin(),
                     [](double v) { return static_cast<decltype(zero)>(v); });
    };
    if (input.dtype() == DType::f64) copy(double{});
    if (input.dtype() == DType::u8) copy(uint8_t{});
    if (input.dtype() == DType::i32) copy(int32_t{});
    if (input.dtype() == DType::i64) copy(int64_t{});
    return buffer;
  }

  std::map<std::string, Numbers> given_;
};

inline auto near_all(const Numbers& expected, double tolerance = 1e-12) {
  return ::testing::Pointwise(::testing::DoubleNear(tolerance), expected);
}

// values[begin * size .. end * size): rows of `size` numbers.
inline Numbers rows(const Numbers& values, int64_t begin, int64_t end, int64_t size) {
  return {values.begin() + begin * size, values.begin() + end * size};
}

}  // namespace grimace::testing
