#include "data/clip_picker.h"

#include <new>
#include <numeric>
#include <span>
#include <utility>

#include "data/random.h"
#include "ir/error.h"

namespace grimace {

std::string why_unusable(const std::string& clip) {
  try {
    throw;
  } catch (const Error& error) {
    return error.what();
  } catch (const RunError& error) {
    return error.what();
  } catch (const std::bad_alloc&) {
    return cat(clip, ": there is not enough memory to read it");
  }
}

std::optional<std::string> BadClips::try_load(int64_t clip, const std::function<void()>& load) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(clip); known != known_.end()) return known->second;
  }
  try {
    load();
    return std::nullopt;
  } catch (...) {
    const std::string reason = why_unusable(list_.entries[static_cast<size_t>(clip)].path.string());
    const std::lock_guard lock(mutex_);
    return known_.emplace(clip, reason).first->second;
  }
}

bool BadClips::too_many(int64_t bad) const {
  const auto clips = std::ssize(list_.entries);
  return bad >= clips || static_cast<double>(bad) > loading_.max_bad * static_cast<double>(clips);
}

void BadClips::note_frames(int64_t clip, int64_t frames) {
  if (frames != 1) return;
  const std::lock_guard lock(mutex_);
  if (single_frames_.insert(clip).second) unreported_.push_back(clip);
}

void BadClips::report_single_frames() {
  std::vector<int64_t> clips;
  {
    const std::lock_guard lock(mutex_);
    clips.swap(unreported_);
  }
  if (!loading_.warn) return;
  for (const int64_t clip : clips) {
    const ListEntry& entry = list_.entries[static_cast<size_t>(clip)];
    loading_.warn(cat(list_.place(entry), ": ", entry.path.string(),
                      ": a single frame, which is repeated; it shows no motion"));
  }
}

void BadClips::report(const std::vector<Unreadable>& clips, const char* consequence) {
  report_single_frames();
  for (const Unreadable& clip : clips) {
    if (!reported_.insert(clip.clip).second) continue;
    const std::string where = list_.place(list_.entries[static_cast<size_t>(clip.clip)]);
    check(!too_many(std::ssize(reported_)), where, ": ", reported_.size(), " of ",
          list_.entries.size(), " clips are unreadable, more than --max-bad ", loading_.max_bad,
          " allows; the last: ", clip.reason, "; grimace data check ", list_.file.string(),
          " names all");
    if (loading_.warn) loading_.warn(cat(where, ": ", consequence, ": ", clip.reason));
  }
}

std::vector<Unreadable> ClipPicker::fill(
    int64_t epoch, int64_t index, BadClips& bad,
    const std::function<void(int64_t clip, int64_t attempt)>& load) {
  std::vector<Unreadable> unreadable;
  std::set<int64_t> failed;
  for (int64_t attempt = 0; failed.empty() || !bad.too_many(std::ssize(failed)); ++attempt) {
    const int64_t clip = choose(epoch, index, attempt);
    const auto reason = bad.try_load(clip, [&] { load(clip, attempt); });
    if (!reason) break;
    if (failed.insert(clip).second) unreadable.push_back({clip, *reason});
  }
  return unreadable;
}

int64_t ClipPicker::choose(int64_t epoch, int64_t index, int64_t attempt) {
  if (attempt == 0) return (*order(epoch))[static_cast<size_t>(index)];
  auto random = data_stream(seed_, "replacement", epoch, index, attempt);
  return static_cast<int64_t>(random.below(static_cast<uint64_t>(clips_)));
}

std::shared_ptr<const ClipPicker::Order> ClipPicker::order(int64_t epoch) {
  const std::lock_guard lock(mutex_);
  auto& order = orders_[epoch];
  if (!order) {
    Order shuffled(static_cast<size_t>(clips_));
    std::iota(shuffled.begin(), shuffled.end(), int64_t{0});
    auto random = data_stream(seed_, "shuffle", epoch, 0);
    shuffle(std::span(shuffled), random);
    order = std::make_shared<const Order>(std::move(shuffled));
  }
  const auto result = order;
  constexpr size_t kKept = 3;  // prefetching is rarely further than the next epoch
  while (orders_.size() > kKept)
    orders_.erase(orders_.begin()->first == epoch ? std::prev(orders_.end()) : orders_.begin());
  return result;
}

}  // namespace grimace
