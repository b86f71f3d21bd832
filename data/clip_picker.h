// What the data sets share: which clip is where in an epoch, and what happens to unreadable ones.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/list_file.h"
#include "ir/error.h"

namespace grimace {

// The settings that every data set has. Error naming the value out of range.
template <typename Config>
void check_loading(const Config& config) {
  check(config.batch_size >= 1, "the batch size must be at least 1; got ", config.batch_size);
  check(config.workers >= 0 && config.workers <= 256, "workers must be in 0..256; got ",
        config.workers);
  check(config.decode_threads >= 1 && config.decode_threads <= 64,
        "decoding threads must be in 1..64; got ", config.decode_threads);
  check(config.prefetch >= 1, "prefetched batches must be at least 1; got ", config.prefetch);
  check(config.max_bad >= 0 && config.max_bad <= 1, "max-bad must be between 0 and 1; got ",
        config.max_bad);
}

struct Unreadable {
  int64_t clip = 0;  // position in the list
  std::string reason;
};

// Clips of a list that proved unreadable. try_load() is for several threads at once.
class BadClips {
 public:
  // `list` must outlive this; `max_bad` is the fraction of its clips that may be unreadable.
  BadClips(const ListFile& list, double max_bad) : list_(list), max_bad_(max_bad) {}

  // Nothing when `load` could use the clip; otherwise the reason it gave by throwing an Error, now
  // or at an earlier try.
  std::optional<std::string> try_load(int64_t clip, const std::function<void()>& load);
  bool too_many(int64_t bad) const;

  // For one thread: tells `warn` of clips not told of before, with what becomes of each
  // ("this clip is replaced by another"). Error when they become too many.
  void report(const std::vector<Unreadable>& clips, const char* consequence,
              const std::function<void(const std::string&)>& warn);
  const std::set<int64_t>& reported() const { return reported_; }

 private:
  const ListFile& list_;
  const double max_bad_;
  std::mutex mutex_;
  std::map<int64_t, std::string> known_;  // clip -> reason, so that none is opened twice
  std::set<int64_t> reported_;
};

// The order of the clips in every epoch, a pure function of (seed, epoch). For several threads.
class ClipPicker {
 public:
  ClipPicker(int64_t clips, uint64_t seed) : clips_(clips), seed_(seed) {}

  // Gives the clip at place `index` of the epoch to `load`, or if that cannot be used another,
  // drawn from (seed, epoch, index, attempt), until one can. Returns those that cannot. Gives up
  // when they are too many, as BadClips::report() then says.
  std::vector<Unreadable> fill(int64_t epoch, int64_t index, BadClips& bad,
                               const std::function<void(int64_t clip, int64_t attempt)>& load);

 private:
  using Order = std::vector<int64_t>;
  int64_t choose(int64_t epoch, int64_t index, int64_t attempt);
  std::shared_ptr<const Order> order(int64_t epoch);

  const int64_t clips_;
  const uint64_t seed_;
  std::mutex mutex_;
  std::map<int64_t, std::shared_ptr<const Order>> orders_;
};

}  // namespace grimace
