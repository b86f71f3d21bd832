// Every parameter of a model under its published name (spec 10), in published order, with its shape
// and initial distribution (spec 6.1, 7.2).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "models/config.h"

namespace grimace {

struct Init {
  enum class Kind : uint8_t { zeros, ones, uniform, normal } kind = Kind::zeros;
  double scale = 0.0;   // uniform: in [-scale, scale); normal: the standard deviation
  double limit = 0.0;   // normal: redrawn outside [-limit, limit]
  double factor = 1.0;  // multiplies every draw
};

struct ParamSpec {
  std::string name;
  Shape shape;
  Init init;
  std::string alias_of;  // the parameter whose tensor this name shares (spec 2.8); empty: its own
};

std::vector<ParamSpec> pretrain_parameters(const ModelConfig& config);
std::vector<ParamSpec> classifier_parameters(const ModelConfig& config);

// Adds the params, aliases left out, to the graph in this order.
void declare(Builder& b, std::span<const ParamSpec> specs);

// The initial values of one parameter: a function of (seed, name) alone.
void initialise(const ParamSpec& spec, uint64_t seed, std::span<float> values);

}  // namespace grimace
