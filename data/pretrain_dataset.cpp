#include "data/pretrain_dataset.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "data/prefetcher.h"
#include "data/random.h"
#include "ir/error.h"

namespace grimace {
namespace {

using Order = std::vector<int64_t>;

struct Unreadable {
  int64_t clip = 0;
  std::string reason;
};

struct MadeBatch {
  Batch batch;
  std::vector<std::vector<Unreadable>> unreadable;  // met while filling each video's place
};

void check_settings(const ListFile& list, const PretrainDataConfig& config) {
  validate(config.clip);
  check(config.batch_size >= 1, "the batch size must be at least 1; got ", config.batch_size);
  check(config.workers >= 0 && config.workers <= 256, "workers must be in 0..256; got ",
        config.workers);
  check(config.decode_threads >= 1 && config.decode_threads <= 64,
        "decoding threads must be in 1..64; got ", config.decode_threads);
  check(config.prefetch >= 1, "prefetched batches must be at least 1; got ", config.prefetch);
  check(config.max_bad >= 0 && config.max_bad <= 1, "max-bad must be between 0 and 1; got ",
        config.max_bad);
  check(std::ssize(list.entries) >= config.batch_size, list.file.string(), ": ",
        list.entries.size(), " clips are fewer than a batch of ", config.batch_size,
        "; lower the batch size");
}

}  // namespace

// Makes any batch as a pure function of its number. Used by several threads at once.
class PretrainDataset::Maker {
 public:
  Maker(ListFile list, const PretrainDataConfig& config)
      : list_((check_settings(list, config), std::move(list))),
        config_(config),
        masks_(config.mask),
        prefetcher_({.parts = config.batch_size,
                     .start = [this](int64_t) { return start(); },
                     .fill = [this](MadeBatch& made, int64_t number,
                                    int64_t part) { fill(made, number, part); }},
                    config.workers, config.prefetch) {}

  const ListFile& list() const { return list_; }
  const PretrainDataConfig& config() const { return config_; }
  Prefetcher<MadeBatch>& prefetcher() { return prefetcher_; }
  int64_t clip_count() const { return std::ssize(list_.entries); }
  int64_t batches_per_epoch() const { return clip_count() / config_.batch_size; }

  bool too_many(int64_t bad) const {
    return bad >= clip_count() ||
           static_cast<double>(bad) > config_.max_bad * static_cast<double>(clip_count());
  }

 private:
  MadeBatch start() const {
    const ClipConfig& clip = config_.clip;
    const int64_t rows = int64_t{config_.batch_size} * clip.num_samples;
    MadeBatch made;
    made.batch["video"] =
        Tensor(DType::f32, {rows, 3, clip.frames, clip.image_size, clip.image_size});
    made.batch["mask"] = Tensor(DType::u8, {rows, masks_.token_count()});
    made.unreadable.resize(static_cast<size_t>(config_.batch_size));
    return made;
  }

  // Fills the place of video `part` in batch `number`, counted over all epochs.
  void fill(MadeBatch& made, int64_t number, int64_t part) {
    const int64_t epoch = number / batches_per_epoch();
    const int64_t index = number % batches_per_epoch() * config_.batch_size + part;
    fill_mask(made.batch.at("mask"), epoch, index, part);
    const auto values = static_cast<size_t>(config_.clip.num_samples * clip_values(config_.clip));
    const auto out =
        made.batch.at("video").as<float>().subspan(static_cast<size_t>(part) * values, values);
    auto& unreadable = made.unreadable[static_cast<size_t>(part)];
    std::set<int64_t> failed;
    // Where too many fail, next() says so.
    for (int64_t attempt = 0; failed.empty() || !too_many(std::ssize(failed)); ++attempt) {
      const int64_t clip = choose(epoch, index, attempt);
      auto random = data_stream(config_.seed, "clip", epoch, index, attempt);
      const auto reason = load(clip, random, out);
      if (!reason) return;
      if (failed.insert(clip).second) unreadable.push_back({clip, *reason});
    }
  }

  void fill_mask(Tensor& masks, int64_t epoch, int64_t index, int64_t part) const {
    auto random = data_stream(config_.seed, "mask", epoch, index);
    const std::vector<uint8_t> mask = masks_.draw(random);
    const int64_t samples = config_.clip.num_samples;
    for (int64_t row = part * samples; row < (part + 1) * samples; ++row)
      std::copy(mask.begin(), mask.end(), masks.as<uint8_t>().begin() + row * std::ssize(mask));
  }

  // The clip at this place of the epoch's order, or a replacement for it.
  int64_t choose(int64_t epoch, int64_t index, int64_t attempt) {
    if (attempt == 0) return (*order(epoch))[static_cast<size_t>(index)];
    auto random = data_stream(config_.seed, "replacement", epoch, index, attempt);
    return static_cast<int64_t>(random.below(static_cast<uint64_t>(clip_count())));
  }

  std::shared_ptr<const Order> order(int64_t epoch) {
    const std::lock_guard lock(mutex_);
    auto& order = orders_[epoch];
    if (!order) {
      Order shuffled(static_cast<size_t>(clip_count()));
      std::iota(shuffled.begin(), shuffled.end(), int64_t{0});
      auto random = data_stream(config_.seed, "shuffle", epoch, 0);
      shuffle(std::span(shuffled), random);
      order = std::make_shared<const Order>(std::move(shuffled));
    }
    const auto result = order;
    constexpr size_t kKept = 3;  // prefetching is rarely further than the next epoch
    while (orders_.size() > kKept)
      orders_.erase(orders_.begin()->first == epoch ? std::prev(orders_.end()) : orders_.begin());
    return result;
  }

  // The reason why the clip cannot be used, or nothing when it was written to `out`.
  std::optional<std::string> load(int64_t clip, PhiloxStream& random, std::span<float> out) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto known = known_bad_.find(clip); known != known_bad_.end()) return known->second;
    }
    try {
      load_clips(list_.entries[static_cast<size_t>(clip)].path, config_.decode_threads,
                 config_.clip, random, out);
      return std::nullopt;
    } catch (const Error& error) {
      const std::lock_guard lock(mutex_);
      return known_bad_.emplace(clip, error.what()).first->second;
    }
  }

  const ListFile list_;
  const PretrainDataConfig config_;
  const MaskGenerator masks_;
  std::mutex mutex_;
  std::map<int64_t, std::shared_ptr<const Order>> orders_;
  std::map<int64_t, std::string> known_bad_;  // clip -> reason, so that none is opened twice
  Prefetcher<MadeBatch> prefetcher_;          // last: its threads use all of the above
};

PretrainDataset::PretrainDataset(ListFile list, const PretrainDataConfig& config)
    : maker_(std::make_unique<Maker>(std::move(list), config)) {}

PretrainDataset::~PretrainDataset() = default;

int64_t PretrainDataset::batches_per_epoch() const {
  return maker_->batches_per_epoch();
}

void PretrainDataset::seek(int64_t epoch, int64_t batch) {
  internal_check(epoch >= 0 && batch >= 0 && batch <= batches_per_epoch(), "seek to batch ", batch,
                 " of epoch ", epoch);
  maker_->prefetcher().seek(epoch * batches_per_epoch() + batch);
}

Batch PretrainDataset::next() {
  MadeBatch made = maker_->prefetcher().next();
  const ListFile& list = maker_->list();
  const auto& warn = maker_->config().warn;
  for (const auto& place : made.unreadable) {
    for (const Unreadable& clip : place) {
      if (!bad_.insert(clip.clip).second) continue;
      const std::string where = list.place(list.entries[static_cast<size_t>(clip.clip)]);
      check(!maker_->too_many(std::ssize(bad_)), where, ": ", bad_.size(), " of ",
            list.entries.size(), " clips are unreadable, more than --max-bad ",
            maker_->config().max_bad, " allows; the last: ", clip.reason, "; grimace data check ",
            list.file.string(), " names all");
      if (warn) warn(cat(where, ": this clip is replaced by another: ", clip.reason));
    }
  }
  return std::move(made.batch);
}

}  // namespace grimace
