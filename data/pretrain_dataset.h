// Batches for pre-training from a list of clips: shuffled, cut, masked, made ahead on threads.
// Source: spec 4.1, 6 (repeated sampling, shuffling, incomplete last batch dropped), 8.2.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "data/clip.h"
#include "data/list_file.h"
#include "data/loading.h"
#include "data/masks.h"
#include "runtime/batch_source.h"

namespace grimace {

struct PretrainDataConfig {
  ClipConfig clip = {};
  MaskConfig mask = {};
  int batch_size = 8;  // videos; a batch holds clip.num_samples clips of each
  uint64_t seed = 0;
  LoadingConfig loading = {};
};

// Gives {"video" u8 [B,3,T,H,W], "mask" u8 [B,N]} with B = batch_size * num_samples; the samples
// of one video are neighbours and share their mask. A batch depends on (seed, epoch, index) alone.
// An unreadable clip is replaced by another, drawn from (seed, epoch, index, attempt).
class PretrainDataset : public BatchSource {
 public:
  // Error when the list has fewer clips than a batch, or a setting is out of range.
  PretrainDataset(ListFile list, const PretrainDataConfig& config);
  ~PretrainDataset() override;

  int64_t batches_per_epoch() const override;
  void seek(int64_t epoch, int64_t batch) override;
  // Error when more than max_bad of the list's clips, or all, proved unreadable.
  Batch next() override;
  // Unreadable clips met so far, as positions in the list.
  const std::set<int64_t>& bad_clips() const;

 private:
  class Maker;
  std::unique_ptr<Maker> maker_;
};

}  // namespace grimace
