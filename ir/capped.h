// Sums and products of sizes (>= 0) that stay at the largest number where they would pass it: what
// a graph from outside would cost may need more than 64 bits, long before anybody runs it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>

namespace grimace {

inline int64_t capped_sum(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

inline int64_t capped_product(std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  bool over = false;
  for (const int64_t factor : factors) {
    if (factor == 0) return 0;
    over = over || __builtin_mul_overflow(product, factor, &product);
  }
  return over ? std::numeric_limits<int64_t>::max() : product;
}

}  // namespace grimace
