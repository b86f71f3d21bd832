// Batches for training a classifier from a list of labelled clips: shuffled, augmented, mixed,
// made ahead on threads. Source: spec 7.3, 7.6, 8.3.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "data/augment.h"
#include "data/labelled_clip.h"
#include "data/labels.h"
#include "data/loading.h"
#include "data/mixup.h"
#include "runtime/batch_source.h"

namespace grimace {

struct FinetuneDataConfig {
  FrameConfig clip = {};
  AugmentConfig augment = {};
  MixupConfig mixup = {};
  int num_sample = 1;  // repeated augmentation: versions of each clip, from the same frames
  int batch_size = 8;  // clips; a batch holds num_sample versions of each
  uint64_t seed = 0;
  LoadingConfig loading = {};
};

// Gives "video" f32 [B,3,T,H,W] with B = batch_size * num_sample (versions of one clip are
// neighbours), and with it
// - "targets" f32 [B,classes], soft and smoothed, where mixup or cutmix is on (spec 7.6);
// - "labels" i32 [B] otherwise: the loss smooths them itself, mixup.smoothing plays no part.
// A batch depends on (seed, epoch, index) alone. An unreadable clip is replaced by another, with
// that one's label.
class FinetuneDataset : public BatchSource {
 public:
  // Error when the list has fewer clips than a batch, a batch to be mixed is odd, or a setting is
  // out of range.
  FinetuneDataset(LabelledClips clips, const FinetuneDataConfig& config);
  ~FinetuneDataset() override;

  int64_t batches_per_epoch() const override;  // an incomplete last batch is dropped
  void seek(int64_t epoch, int64_t batch) override;
  // Error when more than max_bad of the list's clips, or all, proved unreadable.
  Batch next() override;
  // Unreadable clips met so far, as positions in the list of labelled clips.
  const std::set<int64_t>& bad_clips() const;

 private:
  class Maker;
  std::unique_ptr<Maker> maker_;
};

}  // namespace grimace
