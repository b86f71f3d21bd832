// How far a run is: text for a person at a terminal (one updating line), for a log file (a line now
// and then) and for a program (JSON lines). Formatting and timing are pure; ProgressDisplay prints.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace grimace {

enum class ProgressMode { automatic, bar, plain, json };

// "auto", "bar", "plain" or "json"; Error otherwise.
ProgressMode progress_mode_from(std::string_view name);

struct ProgressState {
  int64_t step = 0;  // steps done in the whole run, and how many there will be
  int64_t steps = 0;
  int64_t epoch = 0;  // counted from 0, as in metrics.jsonl; people are shown epoch + 1
  int64_t epochs = 0;
  double loss = 0.0;
  double lr = 0.0;
  double clips_per_s = 0.0;
  double data_wait = 0.0;               // fraction of the time, 0 to 1
  std::optional<double> eta_seconds{};  // nothing while unknown
};

// "45s", "12m05s", "2h05m", "3d04h"; "?" when unknown.
std::string format_duration(std::optional<double> seconds);
// One line of at most `columns` - 1 characters; the bar itself takes what the text leaves.
std::string format_bar(const ProgressState& state, int columns);
std::string format_plain(const ProgressState& state);
std::string format_json(const ProgressState& state);

// Decides when a new line is due: the first step, the last one, and then every so often.
class ProgressTimer {
 public:
  explicit ProgressTimer(ProgressMode mode);
  bool due(const ProgressState& state, double now_seconds);

 private:
  double interval_;
  std::optional<double> last_;
};

// Remaining seconds, from the mean speed since the first call (a resumed run starts anew).
class EtaClock {
 public:
  std::optional<double> remaining(int64_t step, int64_t steps, double now_seconds);

 private:
  std::optional<double> start_;
  int64_t first_step_ = 0;
};

// Prints to stderr, JSON to stdout. `automatic` is a bar on a terminal and plain lines elsewhere.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(ProgressMode mode);
  ~ProgressDisplay();  // leaves a last bar on its own line
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void update(ProgressState state);  // fills in eta_seconds

 private:
  ProgressMode mode_;
  ProgressTimer timer_;
  EtaClock eta_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace grimace
