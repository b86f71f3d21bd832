#include "data/check.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "data/clip_picker.h"
#include "ir/error.h"

namespace grimace {
namespace {

std::optional<std::string> why_unreadable(const ListEntry& entry, const ClipConfig& config) {
  try {
    const auto source = open_frames(entry.path);
    const int64_t frames = source->frame_count();
    const int64_t last_start =
        std::max<int64_t>(0, frames - int64_t{config.frames} * config.sampling_rate);
    std::vector<int64_t> indices = clip_indices(frames, 0, config);
    for (const int64_t index : clip_indices(frames, last_start, config)) indices.push_back(index);
    const std::vector<Image> images = source->read(indices);
    for (const Image& image : images)
      check(
          !config.one_size || (image.width == images[0].width && image.height == images[0].height),
          entry.path.string(), ": frames of ", image.width, "x", image.height, " and of ",
          images[0].width, "x", images[0].height);
    if (config.voxceleb2)
      voxceleb2_box(entry.path.string(), images[0].width, images[0].height, config.image_size);
    return std::nullopt;
  } catch (...) {
    return why_unusable(entry.path.string());
  }
}

}  // namespace

std::vector<BadClip> check_list(const ListFile& list, const ClipConfig& config, int workers,
                                const std::function<void(int64_t)>& progress) {
  validate(config);
  std::vector<std::optional<std::string>> reasons(list.entries.size());
  std::mutex mutex;
  size_t taken = 0;
  int64_t done = 0;
  std::exception_ptr failure;
  const auto work = [&] {
    std::unique_lock lock(mutex);
    while (taken < reasons.size() && !failure) {
      const size_t i = taken++;
      lock.unlock();
      std::exception_ptr thrown;
      try {
        reasons[i] = why_unreadable(list.entries[i], config);
      } catch (...) {
        thrown = std::current_exception();
      }
      lock.lock();
      if (thrown) failure = thrown;
      if (progress) progress(++done);
    }
  };
  std::vector<std::thread> threads;
  try {
    for (int i = 1; i < workers; ++i) threads.emplace_back(work);
  } catch (const std::system_error& error) {
    const std::lock_guard lock(mutex);
    failure = std::make_exception_ptr(
        RunError(cat("cannot start ", workers, " threads to read clips: ", error.code().message(),
                     "; use fewer workers")));
  }
  work();
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
  std::vector<BadClip> bad;
  for (size_t i = 0; i < reasons.size(); ++i)
    if (reasons[i]) bad.push_back({list.entries[i].path, list.entries[i].line, *reasons[i]});
  return bad;
}

}  // namespace grimace
