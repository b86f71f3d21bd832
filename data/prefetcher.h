// Makes numbered items ahead of time on worker threads and hands them out in order.
// What an item holds may not depend on which worker made it, so neither does what comes out.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "ir/error.h"

namespace grimace {

template <typename Item>
class Prefetcher {
 public:
  struct Work {
    int64_t parts = 1;  // pieces of one item that workers fill independently
    std::function<Item(int64_t number)> start;
    std::function<void(Item& item, int64_t number, int64_t part)> fill;
  };

  // At most `depth` items exist at a time (the one handed out not counted). Without workers,
  // next() does the work itself. RunError when the system gives no thread.
  Prefetcher(Work work, int workers, int depth)
      : work_(std::move(work)), depth_(static_cast<size_t>(depth)) {
    try {
      for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error& error) {
      stop();
      throw RunError(cat("cannot start ", workers, " threads to read clips: ",
                         error.code().message(), "; use fewer workers"));
    }
  }

  ~Prefetcher() { stop(); }
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  // The next item is `number`; what was made for others is dropped.
  void seek(int64_t number) {
    const std::lock_guard lock(mutex_);
    window_.clear();
    next_number_ = number;
    changed_.notify_all();
  }

  // The next item in order; waits for it. Rethrows what its making threw (of several failing
  // parts, the first's) and then goes on with the following item.
  Item next() {
    std::unique_lock lock(mutex_);
    if (threads_.empty()) {
      window_.push_back(std::make_shared<Slot>(next_number_++));
      while (window_.front()->takeable(work_.parts)) advance(*window_.front(), lock);
    }
    changed_.wait(lock, [&] { return !window_.empty() && window_.front()->done == work_.parts; });
    const std::shared_ptr<Slot> slot = std::move(window_.front());
    window_.pop_front();
    changed_.notify_all();
    if (slot->error) std::rethrow_exception(slot->error);
    return std::move(slot->item);
  }

 private:
  struct Slot {
    explicit Slot(int64_t n) : number(n) {}
    bool takeable(int64_t parts) const { return !starting && next_part < parts; }

    int64_t number;
    bool starting = false;  // a worker is in start()
    bool started = false;
    Item item;
    int64_t next_part = 0;  // parts below it are taken
    int64_t done = 0;
    std::exception_ptr error;
    int64_t error_part = 0;
  };

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      std::shared_ptr<Slot> slot;  // kept alive through a seek()
      changed_.wait(lock, [&] { return stopping_ || (slot = unfinished()) != nullptr; });
      if (stopping_) return;
      advance(*slot, lock);
    }
  }

  // The first item with something to do, if the window has or may get one. Holds the lock.
  std::shared_ptr<Slot> unfinished() {
    for (const auto& slot : window_)
      if (slot->takeable(work_.parts)) return slot;
    if (window_.size() >= depth_) return nullptr;
    return window_.emplace_back(std::make_shared<Slot>(next_number_++));
  }

  // Starts the item, or makes its next part.
  void advance(Slot& slot, std::unique_lock<std::mutex>& lock) {
    if (!slot.started) {
      slot.starting = true;
      slot.error = unlocked(lock, [&] { slot.item = work_.start(slot.number); });
      slot.starting = false;
      slot.started = true;
      if (slot.error) slot.next_part = slot.done = work_.parts;
      changed_.notify_all();
      return;
    }
    const int64_t part = slot.next_part++;
    const auto error = unlocked(lock, [&] { work_.fill(slot.item, slot.number, part); });
    if (error && (!slot.error || part < slot.error_part)) {
      slot.error = error;
      slot.error_part = part;
    }
    if (++slot.done == work_.parts) changed_.notify_all();
  }

  // Runs `work` without the lock; gives what it threw.
  template <typename Function>
  static std::exception_ptr unlocked(std::unique_lock<std::mutex>& lock, Function&& work) {
    std::exception_ptr error;
    lock.unlock();
    try {
      work();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    return error;
  }

  Work work_;
  size_t depth_;
  std::mutex mutex_;
  std::condition_variable changed_;  // items to make, items made, or the end
  std::deque<std::shared_ptr<Slot>> window_;
  int64_t next_number_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace grimace
