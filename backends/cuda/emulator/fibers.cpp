// The scheduler of a block: who was woken runs first, in the order of waking, and then threads that
// did not start yet, so a block of independent warps needs the stacks of one warp. Fibers and their
// stacks are kept for the next block.
#include "backends/cuda/emulator/fibers.h"

#include <array>
#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <exception>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace grimace::cuda::emulator {

uint3 thread_index{};
dim3 block_size{};

namespace {

namespace context = boost::context;

constexpr size_t kStackBytes = 128u << 10;
constexpr int kMostThreads = 1024;

struct Fiber {
  context::fiber resume_point;
  int thread = -1;
};

struct WaitingAt {
  const char* what = nullptr;  // null: does not wait
  unsigned mask = 0;
};

// First in, first out; every thread is in it at most once.
class Queue {
 public:
  bool empty() const { return begin_ == end_; }
  void push(Fiber* fiber) { ring_[end_++ % kMostThreads] = fiber; }
  Fiber* pop() { return ring_[begin_++ % kMostThreads]; }
  void clear() { begin_ = end_ = 0; }

 private:
  std::array<Fiber*, kMostThreads> ring_{};
  unsigned begin_ = 0, end_ = 0;
};

// One at a time: launch_grid.cpp sees to it that only one grid runs.
struct Scheduler {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber*> idle;
  Queue ready;
  Fiber root;  // who called run_threads
  Fiber* running = &root;
  Fiber* left = nullptr;  // from where the last switch came
  const std::function<void()>* body = nullptr;
  bool descending = false;
  int threads = 0, started = 0, finished = 0;
  std::array<uint3, kMostThreads> index_of{};
  dim3 indexed{0, 0, 0};  // the block size that index_of is for
  std::array<Fiber*, kMostThreads> fiber_of{};
  std::array<WaitingAt, kMostThreads> waiting{};
  std::vector<int> at_barrier;
  std::exception_ptr failure;
} s;

void switch_to(Fiber* next) {
  s.left = s.running;
  s.running = next;
  context::fiber from = std::move(next->resume_point).resume();
  s.left->resume_point = std::move(from);
}

context::fiber run_fiber(context::fiber&& from);

Fiber* idle_fiber() {
  if (s.idle.empty()) {
    auto fiber = std::make_unique<Fiber>();
    fiber->resume_point = context::fiber(
        std::allocator_arg, context::protected_fixedsize_stack(kStackBytes), run_fiber);
    s.fibers.push_back(std::move(fiber));
    return s.fibers.back().get();
  }
  Fiber* fiber = s.idle.back();
  s.idle.pop_back();
  return fiber;
}

std::string deadlock_text() {
  std::map<std::string, std::vector<int>> groups;
  for (int t = 0; t < s.threads; ++t) {
    const WaitingAt& at = s.waiting[static_cast<size_t>(t)];
    if (at.what == nullptr) continue;
    std::ostringstream what;
    what << at.what;
    if (at.mask != 0) what << " with mask 0x" << std::hex << at.mask;
    groups[what.str()].push_back(t);
  }
  std::string text = cat("the threads of a block of ", s.threads, " wait for ever:");
  for (const auto& [what, members] : groups)
    text += cat(" ", members.size(), " at ", what, " (", thread_text(members.front()), " first),");
  return text + cat(" and ", s.finished, " have ended");
}

// Whom to run when the running fiber has nothing more to do; the root when nobody is left or all
// wait.
Fiber* next_fiber() {
  if (!s.ready.empty()) return s.ready.pop();
  if (s.started < s.threads) return idle_fiber();
  if (s.finished < s.threads) s.failure = std::make_exception_ptr(Misuse(deadlock_text()));
  return &s.root;
}

// The thread ends here, well or not.
void run_thread(Fiber* self) {
  const int count = s.started++;
  self->thread = s.descending ? s.threads - 1 - count : count;
  const auto t = static_cast<size_t>(self->thread);
  s.fiber_of[t] = self;
  thread_index = s.index_of[t];
  try {
    (*s.body)();
  } catch (const context::detail::forced_unwind&) {
    throw;  // the fiber itself is being destroyed
  } catch (...) {
    s.failure = std::current_exception();
  }
  ++s.finished;
}

context::fiber run_fiber(context::fiber&& from) {
  s.left->resume_point = std::move(from);
  for (;;) {
    Fiber* self = s.running;
    while (s.started < s.threads && s.ready.empty() && !s.failure) run_thread(self);
    s.idle.push_back(self);
    switch_to(s.failure ? &s.root : next_fiber());
  }
}

void index_threads() {
  const dim3 b = block_size;
  s.threads = static_cast<int>(b.x * b.y * b.z);
  if (s.indexed.x == b.x && s.indexed.y == b.y && s.indexed.z == b.z) return;
  s.indexed = b;
  for (unsigned t = 0; t < b.x * b.y * b.z; ++t)
    s.index_of[t] = {t % b.x, t / b.x % b.y, t / b.x / b.y};
}

// Fibers stopped in the middle of a thread are of no use any more.
void drop_everything() {
  s.idle.clear();
  s.fibers.clear();
  s.ready.clear();
  s.at_barrier.clear();
  s.waiting.fill({});
}

}  // namespace

void run_threads(const std::function<void()>& body, bool descending) {
  index_threads();
  s.body = &body;
  s.descending = descending;
  s.started = s.finished = 0;
  s.running = &s.root;
  switch_to(idle_fiber());
  if (!s.failure) return;
  drop_everything();
  std::rethrow_exception(std::exchange(s.failure, nullptr));
}

int threads_in_block() {
  return s.threads;
}
int running_thread() {
  return s.running->thread;
}

void wait(const char* at, unsigned mask) {
  const auto t = static_cast<size_t>(s.running->thread);
  s.waiting[t] = {at, mask};
  switch_to(next_fiber());
  s.waiting[t].what = nullptr;
  thread_index = s.index_of[t];
}

void wake(int thread) {
  s.ready.push(s.fiber_of[static_cast<size_t>(thread)]);
}

std::string thread_text(int thread) {
  const uint3 at = s.index_of[static_cast<size_t>(thread)];
  return cat("thread ", thread, " (", at.x, ",", at.y, ",", at.z, ")");
}

}  // namespace grimace::cuda::emulator

// Of the whole block: the last to come wakes the others. A thread that has ended never comes,
// though a GPU may forgive that.
void __syncthreads() {
  using namespace grimace::cuda::emulator;
  if (static_cast<int>(s.at_barrier.size()) + 1 < s.threads) {
    s.at_barrier.push_back(running_thread());
    wait("__syncthreads");
    return;
  }
  for (const int thread : s.at_barrier) wake(thread);
  s.at_barrier.clear();
}
