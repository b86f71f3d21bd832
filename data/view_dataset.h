// The views of labelled clips that a classifier is tested on, each once, in batches of one size.
// Source: spec 8.6; what to do with the results is spec 8.7.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/labelled_clip.h"
#include "data/labels.h"
#include "data/loading.h"
#include "runtime/tensor.h"

namespace grimace {

struct ViewConfig {
  FrameConfig clip = {};
  // One view of each clip, frames chosen by the training rule: spec 8.6, validation. The choice
  // depends on seed and clip alone, so that epochs can be compared.
  bool validation = false;
  int test_num_segment = 2;  // temporal segments; not used in validation
  int test_num_crop = 2;     // crops of each; all equal, as frames are square
  int batch_size = 8;
  uint64_t seed = 0;  // validation only
  LoadingConfig loading = {};
};

struct ClipView {
  int64_t row = 0;   // in the batch
  int64_t clip = 0;  // position in the list of labelled clips
  std::string id;    // the clip's full path: shorter names can collide
  int32_t label = 0;
  int segment = 0;
  int crop = 0;
  bool operator==(const ClipView&) const = default;
};

// `views` names the rows that count, in order. Other rows are zero: the last batch is filled up
// with them to its static size, and they stand where a clip was unreadable.
struct ViewBatch {
  Tensor video;  // f32 [batch_size,3,T,H,W]
  std::vector<ClipView> views;
};

// Order: segment outermost, then crop, then clip.
class ViewDataset {
 public:
  ViewDataset(LabelledClips clips, const ViewConfig& config);  // Error: a setting out of range
  ~ViewDataset();

  int64_t view_count() const;  // of all clips, readable or not
  int64_t batch_count() const;
  void restart();  // the next batch is the first
  // Nothing after the last batch. Error when more than max_bad of the clips, or all, proved
  // unreadable.
  std::optional<ViewBatch> next();
  const LabelledClips& clips() const;
  // Unreadable clips met so far, as positions in the list of labelled clips.
  const std::set<int64_t>& bad_clips() const;

 private:
  class Maker;
  std::unique_ptr<Maker> maker_;
  int64_t next_ = 0;
};

}  // namespace grimace
