// Where the time of runs goes: the times of every node, run by run. Knows graphs and clocks alone;
// what an op computes and moves is for the reader to look up.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "ir/graph.h"

namespace grimace {

class Profile {
 public:
  struct Event {
    const Node* node = nullptr;  // null: what ends a run, copies of updates not made in place
    double start = 0.0;          // seconds since the profile was made
    double end = 0.0;
  };
  struct Run {
    double start = 0.0;
    double end = 0.0;
    std::vector<Event> events = {};  // one after the other
    double seconds() const { return end - start; }
  };

  // Lets `skip` runs pass, then records `runs` of them, then calls `on_complete`.
  Profile(int64_t skip, int64_t runs, std::function<void(const Profile&)> on_complete = {});

  // Nodes belong to the executable that ran them, and live as long as it does.
  const std::vector<Run>& runs() const { return runs_; }
  bool complete() const { return static_cast<int64_t>(runs_.size()) == wanted_; }

  // For executables. begin_run says whether this run is wanted; then come time() for every node
  // and end_run(). A run that throws is not recorded.
  bool begin_run();
  template <typename Work>
  void time(const Node* node, const Work& work) {
    const double start = now();
    work();
    current_.events.push_back({node, start, now()});
  }
  // For work that was timed elsewhere, as on a device: it began where the last event ended.
  void add(const Node* node, double seconds);
  void end_run();

 private:
  using Clock = std::chrono::steady_clock;
  double now() const { return std::chrono::duration<double>(Clock::now() - made_).count(); }

  Clock::time_point made_ = Clock::now();
  int64_t skip_;
  int64_t wanted_;
  std::function<void(const Profile&)> on_complete_;
  std::vector<Run> runs_;
  Run current_;
};

}  // namespace grimace
