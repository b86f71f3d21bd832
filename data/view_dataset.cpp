#include "data/view_dataset.h"

#include <algorithm>
#include <utility>

#include "data/clip.h"
#include "data/clip_picker.h"
#include "data/prefetcher.h"
#include "data/random.h"
#include "ir/error.h"

namespace grimace {
namespace {

struct MadeViews {
  Tensor video;
  std::vector<std::optional<std::string>> unreadable;  // of each row: why it cannot be used
};

// In validation there is one view of each clip.
ViewConfig settle(ViewConfig config) {
  validate(config.clip);
  check_loading(config.loading, config.batch_size);
  if (config.validation) config.test_num_segment = config.test_num_crop = 1;
  for (const int count : {config.test_num_segment, config.test_num_crop})
    check(count >= 1 && count <= 100, "test_num_segment and test_num_crop must be in 1..100; got ",
          count);
  return config;
}

}  // namespace

// Makes any batch as a pure function of its number. Used by several threads at once.
class ViewDataset::Maker {
 public:
  Maker(LabelledClips clips, const ViewConfig& config)
      : clips_(std::move(clips)),
        config_(settle(config)),
        bad_(clips_.list, config.loading),
        prefetcher_({.parts = config.batch_size,
                     .start = [this](int64_t) { return start(); },
                     .fill = [this](MadeViews& made, int64_t number,
                                    int64_t row) { fill(made, number, row); }},
                    config.loading.workers, config.loading.prefetch) {}

  const LabelledClips& clips() const { return clips_; }
  const ViewConfig& config() const { return config_; }
  BadClips& bad() { return bad_; }
  Prefetcher<MadeViews>& prefetcher() { return prefetcher_; }
  int64_t clip_count() const { return std::ssize(clips_.labels); }
  int64_t view_count() const {
    return clip_count() * config_.test_num_segment * config_.test_num_crop;
  }
  // Of row `row` of batch `batch`; nothing past the end.
  std::optional<ClipView> view(int64_t batch, int64_t row) const {
    const int64_t number = batch * config_.batch_size + row;
    if (number >= view_count()) return std::nullopt;
    const int64_t clip = number % clip_count();
    const auto part = static_cast<int>(number / clip_count());
    return ClipView{.row = row,
                    .clip = clip,
                    .id = clips_.list.entries[static_cast<size_t>(clip)].path.string(),
                    .label = clips_.labels[static_cast<size_t>(clip)],
                    .segment = part / config_.test_num_crop,
                    .crop = part % config_.test_num_crop};
  }

 private:
  MadeViews start() const {
    const FrameConfig& clip = config_.clip;
    return {
        Tensor(DType::f32, {config_.batch_size, 3, clip.frames, clip.image_size, clip.image_size}),
        std::vector<std::optional<std::string>>(static_cast<size_t>(config_.batch_size))};
  }

  void fill(MadeViews& made, int64_t batch, int64_t row) {
    const auto wanted = view(batch, row);
    if (!wanted) return;
    const auto values = static_cast<size_t>(made.video.numel() / config_.batch_size);
    const auto out = made.video.as<float>().subspan(static_cast<size_t>(row) * values, values);
    made.unreadable[static_cast<size_t>(row)] =
        bad_.try_load(wanted->clip, [&] { load(*wanted, out); });
  }

  void load(const ClipView& view, std::span<float> out) {
    const auto& path = clips_.list.entries[static_cast<size_t>(view.clip)].path;
    const auto source = open_frames(path, config_.loading.decode_threads);
    bad_.note_frames(view.clip, source->frame_count());
    const int size = config_.clip.image_size;
    const std::vector<Image> frames = read_square(*source, indices(view, *source), size);
    const int64_t plane = int64_t{size} * size;
    for (size_t t = 0; t < frames.size(); ++t) {
      const Box box = view_box(size, size, size, view.crop, config_.test_num_crop);
      normalise(crop(frames[t], box), out.data() + static_cast<int64_t>(t) * plane,
                std::ssize(frames) * plane);
    }
  }

  std::vector<int64_t> indices(const ClipView& view, const FrameSource& source) const {
    const int64_t count = source.frame_count();
    if (!config_.validation)
      return view_indices(count, view.segment, config_.test_num_segment, config_.clip);
    auto random = data_stream(config_.seed, "validation", 0, view.clip);
    return training_indices(count, draw_end(count, config_.clip, random), config_.clip);
  }

  const LabelledClips clips_;
  const ViewConfig config_;
  BadClips bad_;
  Prefetcher<MadeViews> prefetcher_;  // last: its threads use all of the above
};

ViewDataset::ViewDataset(LabelledClips clips, const ViewConfig& config)
    : maker_(std::make_unique<Maker>(std::move(clips), config)) {}

ViewDataset::~ViewDataset() = default;

int64_t ViewDataset::view_count() const {
  return maker_->view_count();
}

int64_t ViewDataset::batch_count() const {
  const int64_t size = maker_->config().batch_size;
  return (view_count() + size - 1) / size;
}

void ViewDataset::restart() {
  next_ = 0;
  maker_->prefetcher().seek(0);
}

const LabelledClips& ViewDataset::clips() const {
  return maker_->clips();
}

const std::set<int64_t>& ViewDataset::bad_clips() const {
  return maker_->bad().reported();
}

std::optional<ViewBatch> ViewDataset::next() {
  if (next_ == batch_count()) return std::nullopt;
  MadeViews made = maker_->prefetcher().next();
  ViewBatch batch{std::move(made.video), {}};
  std::vector<Unreadable> unreadable;
  for (int64_t row = 0; row < maker_->config().batch_size; ++row) {
    auto view = maker_->view(next_, row);
    const auto& reason = made.unreadable[static_cast<size_t>(row)];
    if (reason)
      unreadable.push_back({view->clip, *reason});
    else if (view)
      batch.views.push_back(std::move(*view));
  }
  ++next_;
  maker_->bad().report(unreadable, "this clip is left out");
  return batch;
}

}  // namespace grimace
