// Which samples of a clip that is still going on make a window for the model: every `stride`-th run
// of `length` samples, a last one that ends with the clip, and of a clip shorter than that one
// window that repeats its last sample, as tests on data sets do (spec 8.6).
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "ir/error.h"

namespace grimace {

// Holds the last `length` samples and no more.
template <typename Sample>
class SlidingWindow {
 public:
  SlidingWindow(int64_t length, int64_t stride) : length_(length), stride_(stride) {
    check(length >= 1 && stride >= 1 && stride <= length, "the stride must be in 1..", length,
          ", the frames of a window; got ", stride);
  }

  // True where a window ends with this sample.
  bool push(Sample sample) {
    samples_.push_back(std::move(sample));
    if (std::ssize(samples_) > length_) samples_.pop_front();
    return ++count_ >= length_ && (count_ - length_) % stride_ == 0;
  }
  // True where a last window is needed for samples that no window had.
  bool unfinished() const {
    return count_ > 0 && (count_ < length_ || (count_ - length_) % stride_ != 0);
  }
  // The window that ends with the last sample.
  std::vector<Sample> window() const {
    std::vector<Sample> out(samples_.begin(), samples_.end());
    internal_check(!out.empty(), "a window without samples");
    out.resize(static_cast<size_t>(length_), out.back());
    return out;
  }
  const std::deque<Sample>& held() const { return samples_; }

 private:
  int64_t length_;
  int64_t stride_;
  int64_t count_ = 0;
  std::deque<Sample> samples_;
};

}  // namespace grimace
