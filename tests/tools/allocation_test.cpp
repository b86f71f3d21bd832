// A step of training touches no heap: everything was placed when the graph was compiled. Counted by
// standing in for the C library's allocator. What oneDNN's C interface makes of the list of
// arguments of a product, a few small nodes, is not ours to avoid: so many small blocks pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "backends/backend.h"
#include "ir/op_def.h"
#include "tests/tiny_recipe.h"
#include "tools/random_step.h"
#include "tools/recipe_model.h"

#if !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)

namespace {

constexpr size_t kLarge = 256;
constexpr int64_t kSmallPerProduct = 8;
std::atomic<bool> counting = false;
std::atomic<int64_t> small_blocks = 0;
std::atomic<int64_t> large_blocks = 0;

void count(size_t bytes) {
  if (counting) ++(bytes > kLarge ? large_blocks : small_blocks);
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  count(bytes);
  return __libc_malloc(bytes);
}
void* calloc(size_t n, size_t size) {
  count(n * size);
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t bytes) {
  count(bytes);
  return __libc_realloc(p, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  count(bytes);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** p, size_t alignment, size_t bytes) {
  count(bytes);
  *p = __libc_memalign(alignment, bytes);
  return *p == nullptr ? ENOMEM : 0;
}
}

namespace grimace {
namespace {

TEST(Step, allocates_nothing_but_argument_lists_of_products) {
  const Recipe recipe = recipe_from_toml(testing::tiny_recipe(), "recipe");
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const auto step = make_backend("cpu")->compile(*training_graph(recipe),
                                                   {.precision = precision, .threads = 2});
    write_random_step(*step, recipe);
    step->run();
    small_blocks = large_blocks = 0;
    counting = true;
    for (int i = 0; i < 3; ++i) step->run();
    counting = false;
    EXPECT_EQ(large_blocks, 0) << name_of(precision);
    const auto& nodes = step->graph().nodes();
    const auto products = std::count_if(nodes.begin(), nodes.end(), [](const Node& node) {
      return node.is(op_matmul) || node.is(op_linear);
    });
    EXPECT_LE(small_blocks, 3 * products * kSmallPerProduct) << name_of(precision);
  }
}

TEST(Step, allocations_would_be_counted) {
  large_blocks = 0;
  counting = true;
  std::free(std::malloc(2 * kLarge));
  counting = false;
  EXPECT_EQ(large_blocks, 1);
}

}  // namespace
}  // namespace grimace
#endif
