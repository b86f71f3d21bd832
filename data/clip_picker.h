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
#include "data/loading.h"

namespace grimace {

struct Unreadable {
  int64_t clip = 0;  // position in the list
  std::string reason;
};

// For a catch (...) around the reading of one clip: what is wrong with it, in one line. An Error, a
// RunError or a lack of memory is the clip's; anything else is thrown again.
std::string why_unusable(const std::string& clip);

// Clips of a list that proved unreadable, or strange. try_load() and note_frames() are for several
// threads at once.
class BadClips {
 public:
  // `list` must outlive this.
  BadClips(const ListFile& list, const LoadingConfig& loading) : list_(list), loading_(loading) {}

  // Nothing when `load` could use the clip; otherwise the reason it gave by what it threw, now or
  // at an earlier try.
  std::optional<std::string> try_load(int64_t clip, const std::function<void()>& load);
  bool too_many(int64_t bad) const;
  // A clip of a single frame shows no motion, which is told as well, but is no reason to stop.
  void note_frames(int64_t clip, int64_t frames);

  // For one thread: tells loading.warn of clips not told of before, with what becomes of the
  // unreadable ones ("this clip is replaced by another"). Error when these become too many.
  void report(const std::vector<Unreadable>& clips, const char* consequence);
  const std::set<int64_t>& reported() const { return reported_; }

 private:
  void report_single_frames();

  const ListFile& list_;
  const LoadingConfig loading_;
  std::mutex mutex_;
  std::map<int64_t, std::string> known_;  // clip -> reason, so that none is opened twice
  std::set<int64_t> reported_;
  std::set<int64_t> single_frames_;
  std::vector<int64_t> unreported_;  // of those
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
