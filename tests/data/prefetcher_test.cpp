#include "data/prefetcher.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>

#include "tests/testing.h"

namespace grimace {
namespace {

using Numbers = std::vector<int64_t>;

Prefetcher<Numbers>::Work squares(int64_t parts) {
  return {.parts = parts,
          .start = [parts](int64_t) { return Numbers(static_cast<size_t>(parts)); },
          .fill = [](Numbers& item, int64_t number,
                     int64_t part) { item[static_cast<size_t>(part)] = number * number + part; }};
}

class PrefetcherWorkers : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(, PrefetcherWorkers, ::testing::Values(0, 1, 2, 4));

TEST_P(PrefetcherWorkers, give_items_in_order) {
  Prefetcher<Numbers> prefetcher(squares(3), GetParam(), 2);
  for (int64_t n = 0; n < 200; ++n)
    ASSERT_EQ(prefetcher.next(), (Numbers{n * n, n * n + 1, n * n + 2}));
}

TEST_P(PrefetcherWorkers, go_on_from_any_number_after_a_seek) {
  Prefetcher<Numbers> prefetcher(squares(1), GetParam(), 3);
  for (const int64_t number : {50, 7, 7, 0, 1000}) {
    prefetcher.seek(number);
    EXPECT_EQ(prefetcher.next(), Numbers{number * number});
    EXPECT_EQ(prefetcher.next(), Numbers{(number + 1) * (number + 1)});
  }
}

TEST_P(PrefetcherWorkers, hand_over_the_first_parts_exception_and_go_on) {
  auto work = squares(4);
  work.fill = [fill = work.fill](Numbers& item, int64_t number, int64_t part) {
    if (number == 2 && part >= 1) throw std::runtime_error("part " + std::to_string(part));
    fill(item, number, part);
  };
  Prefetcher<Numbers> prefetcher(work, GetParam(), 2);
  prefetcher.next();
  prefetcher.next();
  EXPECT_EQ(testing::error_of<std::runtime_error>([&] { prefetcher.next(); }), "part 1");
  EXPECT_EQ(prefetcher.next()[0], 9);
}

TEST_P(PrefetcherWorkers, hand_over_a_failure_to_start) {
  auto work = squares(2);
  work.start = [](int64_t) -> Numbers { throw std::runtime_error("no memory"); };
  Prefetcher<Numbers> prefetcher(work, GetParam(), 2);
  EXPECT_THROW(prefetcher.next(), std::runtime_error);
}

TEST_P(PrefetcherWorkers, never_hold_more_items_than_the_depth) {
  std::atomic<int> started = 0;
  auto work = squares(2);
  work.start = [&](int64_t) {
    ++started;
    return Numbers(2);
  };
  Prefetcher<Numbers> prefetcher(work, GetParam(), 3);
  for (int taken = 1; taken <= 20; ++taken) {
    prefetcher.next();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_LE(started, taken + 3);
  }
}

TEST_P(PrefetcherWorkers, stop_at_any_moment) {
  for (int taken = 0; taken < 30; ++taken) {
    auto work = squares(5);
    work.fill = [fill = work.fill](Numbers& item, int64_t number, int64_t part) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      fill(item, number, part);
    };
    Prefetcher<Numbers> prefetcher(work, GetParam(), 2);
    for (int64_t n = 0; n < taken % 4; ++n)
      EXPECT_EQ(prefetcher.next(), (Numbers{n * n, n * n + 1, n * n + 2, n * n + 3, n * n + 4}));
  }
}

TEST(Prefetcher, workers_share_the_parts_of_one_item) {
  std::atomic<int> inside = 0;
  std::atomic<bool> together = false;
  auto work = squares(2);
  work.fill = [&](Numbers&, int64_t, int64_t) {
    ++inside;
    for (int i = 0; i < 2000 && !together; ++i) {
      if (inside == 2) together = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    --inside;
  };
  Prefetcher<Numbers> prefetcher(work, 2, 1);
  prefetcher.next();
  EXPECT_TRUE(together);
}

// In a process of its own, which has too little address space for that many stacks.
TEST(Prefetcher, too_few_threads_are_an_error_and_those_there_end) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer needs the address space";
#endif
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    const struct rlimit little { size_t{1} << 30, size_t{1} << 30 };
    if (setrlimit(RLIMIT_AS, &little) != 0) _exit(2);
    try {
      Prefetcher<Numbers>(squares(1), 1000, 2);
    } catch (const RunError& error) {
      const std::string what = error.what();
      _exit(what.starts_with("cannot start 1000 threads to read clips: ") &&
                    what.ends_with("; use fewer workers")
                ? 0
                : 3);
    }
    _exit(4);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "it ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace grimace
