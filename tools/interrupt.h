// Ctrl-C as a request: the first one asks for an orderly end, the second ends at once.
#pragma once

#include <atomic>

namespace grimace {

// Catches SIGINT and SIGTERM while work is under way; what comes after it ends at once, as programs
// do.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  using Handler = void (*)(int);
  Handler interrupt_, end_;
};

const std::atomic<bool>& interrupted();  // set by the first one

}  // namespace grimace
