// Progress through a known number of things: one updating line on a terminal, nothing elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace grimace {

class CountProgress {
 public:
  CountProgress(std::string what, int64_t total);
  ~CountProgress();  // wipes the line
  CountProgress(const CountProgress&) = delete;
  CountProgress& operator=(const CountProgress&) = delete;

  void update(int64_t done);  // at most ten times a second on the screen
  double seconds() const;     // since construction

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  int64_t total_;
  bool terminal_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_ = start_;
};

}  // namespace grimace
