// Checks gradients() against finite differences in f64, by interpreting reference kernels.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/interpret.h"

namespace grimace {

// The worst disagreement found, relative to the larger of the two numbers (and at least 1e-3, below
// which finite differences are mostly rounding).
struct GradientError {
  double error = 0.0;
  std::string target;  // empty: every number agreed exactly
  int64_t element = 0;
  double built = 0.0;    // what gradients() built
  double numeric = 0.0;  // what finite differences give
  int64_t compared = 0;  // how many elements were compared
};
std::ostream& operator<<(std::ostream& out, const GradientError& worst);

// Every f64 output of `graph` is projected on fixed random numbers and summed to one loss; its
// gradient with respect to each f64 graph input named in `targets` is compared with a five-point
// difference. At most `max_elements` of a target are compared, chosen at random.
GradientError check_gradients(const Graph& graph, const std::map<std::string, Buffer>& inputs,
                              const std::vector<std::string>& targets, int64_t max_elements = 64);

}  // namespace grimace
