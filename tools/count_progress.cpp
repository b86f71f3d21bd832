#include "tools/count_progress.h"

#include <unistd.h>

#include "runtime/log.h"
#include "runtime/progress.h"

namespace grimace {

CountProgress::CountProgress(std::string what, int64_t total)
    : what_(std::move(what)), total_(total), terminal_(isatty(STDERR_FILENO) == 1) {}

CountProgress::~CountProgress() {
  if (terminal_) show_status("");
}

void CountProgress::update(int64_t done) {
  using namespace std::chrono_literals;
  const Clock::time_point now = Clock::now();
  if (!terminal_ || done <= 0 || now - shown_ < 100ms) return;
  shown_ = now;
  const double left = seconds() * static_cast<double>(total_ - done) / static_cast<double>(done);
  show_status(what_ + " " + std::to_string(done) + "/" + std::to_string(total_) + ", " +
              format_duration(left) + " left");
}

double CountProgress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

}  // namespace grimace
