// What the trainer asks of a data loader: batches as named graph inputs, in a fixed order.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "runtime/tensor.h"

namespace grimace {

// One step's inputs by graph input name: "video" [B,3,T,H,W], u8 or f32 (ImageNet-normalised),
// "mask" u8 [B,N] (1 = masked, token order time, row, column), "labels" i32 [B] where there are
// any.
using Batch = std::map<std::string, Tensor>;

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual int64_t batches_per_epoch() const = 0;
  // The next batch is batch `batch` of epoch `epoch`; what was prefetched for another is dropped.
  virtual void seek(int64_t epoch, int64_t batch) = 0;
  // Blocks until the batch is there and moves on, into the next epoch after the last one. Its
  // content depends on (seed, epoch, index) alone. Throws Error when too many clips are bad.
  virtual Batch next() = 0;
};

}  // namespace grimace
