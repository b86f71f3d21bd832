#include "data/finetune_dataset.h"

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
  int64_t number = 0;  // counted over all epochs
  Tensor video;        // not mixed yet
  std::vector<int32_t> labels;
  std::vector<std::vector<Unreadable>> unreadable;  // met while filling each clip's place
};

void check_settings(const LabelledClips& clips, const FinetuneDataConfig& config) {
  validate(config.clip);
  validate(config.augment);
  check_loading(config.loading, config.batch_size);
  check(config.num_sample >= 1 && config.num_sample <= 64, "num_sample must be in 1..64; got ",
        config.num_sample);
  validate(config.mixup, int64_t{config.batch_size} * config.num_sample);
  check(std::ssize(clips.labels) >= config.batch_size, clips.list.file.string(), ": ",
        clips.labels.size(), " labelled clips are fewer than a batch of ", config.batch_size,
        "; lower the batch size");
}

}  // namespace

// Makes any batch as a pure function of its number. Used by several threads at once.
class FinetuneDataset::Maker {
 public:
  Maker(LabelledClips clips, const FinetuneDataConfig& config)
      : clips_((check_settings(clips, config), std::move(clips))),
        config_(config),
        picker_(std::ssize(clips_.labels), config.seed),
        bad_(clips_.list, config.loading),
        prefetcher_({.parts = config.batch_size,
                     .start = [this](int64_t number) { return start(number); },
                     .fill = [this](MadeBatch& made, int64_t, int64_t part) { fill(made, part); }},
                    config.loading.workers, config.loading.prefetch) {}

  BadClips& bad() { return bad_; }
  Prefetcher<MadeBatch>& prefetcher() { return prefetcher_; }
  int64_t batches_per_epoch() const { return std::ssize(clips_.labels) / config_.batch_size; }

  // Mixing needs the whole batch, so it comes after the workers.
  Batch finish(MadeBatch made) const {
    Batch batch;
    if (config_.mixup.active()) {
      auto random = data_stream(config_.seed, "mixup", made.number / batches_per_epoch(),
                                made.number % batches_per_epoch());
      const Mix mix =
          draw_mix(config_.mixup, config_.clip.image_size, config_.clip.image_size, random);
      mix_video(made.video, mix);
      batch["targets"] =
          soft_targets(made.labels, std::ssize(clips_.classes), mix.lam, config_.mixup.smoothing);
    } else {
      batch["labels"] = Tensor::from<int32_t>({std::ssize(made.labels)}, made.labels);
    }
    batch["video"] = std::move(made.video);
    return batch;
  }

 private:
  MadeBatch start(int64_t number) const {
    const FrameConfig& clip = config_.clip;
    const int64_t rows = int64_t{config_.batch_size} * config_.num_sample;
    return {number, Tensor(DType::f32, {rows, 3, clip.frames, clip.image_size, clip.image_size}),
            std::vector<int32_t>(static_cast<size_t>(rows)),
            std::vector<std::vector<Unreadable>>(static_cast<size_t>(config_.batch_size))};
  }

  // Fills the place of clip `part`.
  void fill(MadeBatch& made, int64_t part) {
    const int64_t epoch = made.number / batches_per_epoch();
    const int64_t index = made.number % batches_per_epoch() * config_.batch_size + part;
    const int64_t row = part * config_.num_sample;
    made.unreadable[static_cast<size_t>(part)] =
        picker_.fill(epoch, index, bad_, [&](int64_t clip, int64_t attempt) {
          load(clip, epoch, index, attempt, made.video, row);
          std::fill_n(made.labels.begin() + row, config_.num_sample,
                      clips_.labels[static_cast<size_t>(clip)]);
        });
  }

  // Writes the versions of a clip to the rows from `row` on.
  void load(int64_t clip, int64_t epoch, int64_t index, int64_t attempt, Tensor& video,
            int64_t row) {
    const auto& path = clips_.list.entries[static_cast<size_t>(clip)].path;
    const auto source = open_frames(path, config_.loading.decode_threads);
    bad_.note_frames(clip, source->frame_count());
    auto random = data_stream(config_.seed, "frames", epoch, index, attempt);
    const int64_t end = draw_end(source->frame_count(), config_.clip, random);
    const std::vector<Image> frames =
        read_square(*source, training_indices(source->frame_count(), end, config_.clip),
                    config_.clip.image_size);
    const auto values = static_cast<size_t>(video.numel() / video.shape()[0]);
    for (int64_t sample = 0; sample < config_.num_sample; ++sample) {
      auto changes =
          data_stream(config_.seed, "augment", epoch, index * config_.num_sample + sample, attempt);
      augment_clip(frames, config_.augment, changes,
                   video.as<float>().subspan(static_cast<size_t>(row + sample) * values, values));
    }
  }

  const LabelledClips clips_;
  const FinetuneDataConfig config_;
  ClipPicker picker_;
  BadClips bad_;
  Prefetcher<MadeBatch> prefetcher_;  // last: its threads use all of the above
};

FinetuneDataset::FinetuneDataset(LabelledClips clips, const FinetuneDataConfig& config)
    : maker_(std::make_unique<Maker>(std::move(clips), config)) {}

FinetuneDataset::~FinetuneDataset() = default;

int64_t FinetuneDataset::batches_per_epoch() const {
  return maker_->batches_per_epoch();
}

void FinetuneDataset::seek(int64_t epoch, int64_t batch) {
  internal_check(epoch >= 0 && batch >= 0 && batch <= batches_per_epoch(), "seek to batch ", batch,
                 " of epoch ", epoch);
  maker_->prefetcher().seek(epoch * batches_per_epoch() + batch);
}

const std::set<int64_t>& FinetuneDataset::bad_clips() const {
  return maker_->bad().reported();
}

Batch FinetuneDataset::next() {
  MadeBatch made = maker_->prefetcher().next();
  for (const auto& clips : made.unreadable)
    maker_->bad().report(clips, "this clip is replaced by another");
  return maker_->finish(std::move(made));
}

}  // namespace grimace
