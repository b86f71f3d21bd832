#include "data/pretrain_dataset.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "data/clip_picker.h"
#include "data/prefetcher.h"
#include "data/random.h"
#include "ir/error.h"

namespace grimace {
namespace {

struct MadeBatch {
  Batch batch;
  std::vector<std::vector<Unreadable>> unreadable;  // met while filling each video's place
};

void check_settings(const ListFile& list, const PretrainDataConfig& config) {
  validate(config.clip);
  check_loading(config.loading, config.batch_size);
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
        picker_(std::ssize(list_.entries), config.seed),
        bad_(list_, config.loading),
        prefetcher_({.parts = config.batch_size,
                     .start = [this](int64_t) { return start(); },
                     .fill = [this](MadeBatch& made, int64_t number,
                                    int64_t part) { fill(made, number, part); }},
                    config.loading.workers, config.loading.prefetch) {}

  BadClips& bad() { return bad_; }
  Prefetcher<MadeBatch>& prefetcher() { return prefetcher_; }
  int64_t batches_per_epoch() const { return std::ssize(list_.entries) / config_.batch_size; }

 private:
  MadeBatch start() const {
    const ClipConfig& clip = config_.clip;
    const int64_t rows = int64_t{config_.batch_size} * clip.num_samples;
    MadeBatch made;
    made.batch["video"] =
        Tensor(DType::u8, {rows, 3, clip.frames, clip.image_size, clip.image_size});
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
        made.batch.at("video").as<uint8_t>().subspan(static_cast<size_t>(part) * values, values);
    made.unreadable[static_cast<size_t>(part)] =
        picker_.fill(epoch, index, bad_, [&](int64_t clip, int64_t attempt) {
          auto random = data_stream(config_.seed, "clip", epoch, index, attempt);
          load_clips(list_.entries[static_cast<size_t>(clip)].path, config_.loading.decode_threads,
                     config_.clip, random, out);
        });
  }

  void fill_mask(Tensor& masks, int64_t epoch, int64_t index, int64_t part) const {
    auto random = data_stream(config_.seed, "mask", epoch, index);
    const std::vector<uint8_t> mask = masks_.draw(random);
    const int64_t samples = config_.clip.num_samples;
    for (int64_t row = part * samples; row < (part + 1) * samples; ++row)
      std::copy(mask.begin(), mask.end(), masks.as<uint8_t>().begin() + row * std::ssize(mask));
  }

  const ListFile list_;
  const PretrainDataConfig config_;
  const MaskGenerator masks_;
  ClipPicker picker_;
  BadClips bad_;
  Prefetcher<MadeBatch> prefetcher_;  // last: its threads use all of the above
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

const std::set<int64_t>& PretrainDataset::bad_clips() const {
  return maker_->bad().reported();
}

Batch PretrainDataset::next() {
  MadeBatch made = maker_->prefetcher().next();
  for (const auto& clips : made.unreadable)
    maker_->bad().report(clips, "this clip is replaced by another");
  return std::move(made.batch);
}

}  // namespace grimace
