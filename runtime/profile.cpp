#include "runtime/profile.h"

namespace grimace {

Profile::Profile(int64_t skip, int64_t runs, std::function<void(const Profile&)> on_complete)
    : skip_(skip), wanted_(runs), on_complete_(std::move(on_complete)) {}

bool Profile::begin_run() {
  if (complete()) return false;
  if (skip_ > 0) {
    --skip_;
    return false;
  }
  current_ = {};
  // As many as last time, so that memory is not asked for while kernels are timed.
  if (!runs_.empty()) current_.events.reserve(runs_.back().events.size());
  current_.start = now();
  return true;
}

void Profile::add(const Node* node, double seconds) {
  const double start = current_.events.empty() ? current_.start : current_.events.back().end;
  current_.events.push_back({node, start, start + seconds});
}

void Profile::end_run() {
  current_.end = now();
  runs_.push_back(std::move(current_));
  if (complete() && on_complete_) on_complete_(*this);
}

}  // namespace grimace
