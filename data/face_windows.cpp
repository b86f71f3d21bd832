#include "data/face_windows.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"

namespace grimace {

void validate(const FaceWindowsConfig& config) {
  validate(config.clip);
  check(config.stride >= 1 && config.stride <= config.clip.frames, "the stride must be in 1..",
        config.clip.frames, ", the frames of a window; got ", config.stride);
  check(config.detect_every >= 1 && config.detect_every <= 1000,
        "faces must be looked for every 1..1000 frames; got ", config.detect_every);
  check(config.crop >= 1 && config.crop <= 4, "the crop must be 1..4 faces wide; got ",
        config.crop);
}

Box crop_box(const FaceBox& face, double scale, int width, int height) {
  const double wanted = std::max(face.width, face.height) * scale;
  const auto side =
      static_cast<int>(std::lround(std::clamp(wanted, 1.0, double(std::min(width, height)))));
  const auto place = [&](float centre, int room) {
    return std::clamp(static_cast<int>(std::lround(centre - side / 2.0)), 0, room - side);
  };
  return {place(face.centre_x(), width), place(face.centre_y(), height), side, side};
}

FaceWindows::FaceWindows(const FaceWindowsConfig& config, FaceDetector* detector, Give give)
    : config_(config), detector_(detector), give_(std::move(give)), tracker_(config.tracker) {
  validate(config);
}

void FaceWindows::add(double seconds, double duration, const std::function<Image()>& image) {
  ++frame_;
  now_ = seconds;
  duration_ = duration;
  if (detector_ == nullptr && stays_.empty())
    stays_.push_back({.person = 1, .window = {config_.clip.frames, config_.stride}});
  const bool looking = detector_ != nullptr && frame_ % config_.detect_every == 0;
  if (!looking && std::ranges::none_of(stays_, [&](const Stay& s) { return sample_due(s); }))
    return;
  const Image pixels = image();
  if (looking) look(pixels);
  for (Stay& stay : stays_)
    if (sample_due(stay)) take_sample(stay, pixels);
}

// A person's samples start when the person comes, as if the clip did.
bool FaceWindows::sample_due(const Stay& stay) const {
  return (frame_ - stay.first_frame) % config_.clip.sampling_rate == 0;
}

void FaceWindows::look(const Image& image) {
  tracker_.look(detector_->find(image));
  update_stays();
  note_absence();
}

void FaceWindows::update_stays() {
  for (const FaceTrack& track : tracker_.tracks()) {
    auto stay = std::ranges::find(stays_, track.key, &Stay::track);
    if (stay == stays_.end()) {
      if (track.missed > 0) continue;  // remembered, not here
      stay = stays_.insert(stays_.end(), Stay{.track = track.key,
                                              .first_frame = frame_,
                                              .start = now_,
                                              .window = {config_.clip.frames, config_.stride}});
    }
    stay->person = track.person;
    stay->box = track.box;
    stay->missed = track.missed;
    if (stay->missed == 0) confirm(*stay);
  }
  for (Stay& stay : stays_) {
    const bool known = std::ranges::any_of(tracker_.tracks(),
                                           [&](const FaceTrack& t) { return t.key == stay.track; });
    if (!known) stay.missed = config_.tracker.hold + 1;
    if (stay.missed > config_.tracker.hold) close(stay);
  }
  std::erase_if(stays_, [&](const Stay& s) { return s.missed > config_.tracker.hold; });
}

// Looks without a person make an absence, unless it is a gap in somebody's stay.
void FaceWindows::note_absence() {
  const Stay* seen = nullptr;  // the person who has been here longest of those seen now
  for (const Stay& stay : stays_)
    if (stay.person > 0 && stay.missed == 0 && (!seen || stay.first_frame < seen->first_frame))
      seen = &stay;
  if (seen != nullptr) {
    if (absence_ && seen->first_frame > absence_->frame) give_absence(seen->start);
    absence_.reset();
    return;
  }
  if (!absence_) absence_ = Absence{frame_, now_};
  const int64_t span = int64_t{config_.clip.frames} * config_.clip.sampling_rate;
  // Whoever is here now may have been, or may be, a person all along.
  if (!stays_.empty() || frame_ - absence_->frame < span) return;
  give_absence(now_);
  absence_ = Absence{frame_, now_};
}

void FaceWindows::take_sample(Stay& stay, const Image& image) {
  auto sample =
      std::make_shared<FaceSample>(FaceSample{.frame = frame_, .seconds = now_, .box = stay.box});
  Box box{0, 0, image.width, image.height};
  if (detector_ == nullptr)
    sample->box = {0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
  else
    box = crop_box(stay.box, config_.crop, image.width, image.height);
  sample->image = resize(image, box, config_.clip.image_size, config_.clip.image_size);
  stay.waiting.push_back(std::move(sample));
  if (stay.person > 0 && stay.missed == 0 &&
      (detector_ == nullptr || frame_ % config_.detect_every == 0))
    confirm(stay);
}

void FaceWindows::confirm(Stay& stay) {
  if (stay.person == 0) return;
  for (; !stay.waiting.empty(); stay.waiting.pop_front())
    if (stay.window.push(stay.waiting.front())) give(stay);
}

void FaceWindows::close(Stay& stay) {
  stay.waiting.clear();
  if (stay.window.unfinished()) give(stay);
}

void FaceWindows::give(const Stay& stay) {
  FaceWindow window{.person = stay.person, .samples = stay.window.window()};
  window.start = window.samples.front()->seconds;
  window.end = window.samples.back()->seconds + duration_;
  give_(std::move(window));
}

void FaceWindows::give_absence(double until) {
  give_({.start = absence_->seconds, .end = until});
}

void FaceWindows::finish() {
  tracker_.accept_newest();
  for (const FaceTrack& track : tracker_.tracks())
    for (Stay& stay : stays_)
      if (stay.track == track.key) stay.person = track.person;
  if (detector_ != nullptr && frame_ >= 0) note_absence();
  for (Stay& stay : stays_) {
    if (stay.missed == 0) confirm(stay);
    if (stay.person > 0) close(stay);
  }
  const bool here = std::ranges::any_of(stays_, [](const Stay& s) { return s.person > 0; });
  if (absence_ && !here) give_absence(now_ + duration_);
  stays_.clear();
}

int64_t FaceWindows::settled() const {
  int64_t first = frame_ + 1;
  if (absence_) first = std::min(first, absence_->frame);
  for (const Stay& stay : stays_) {
    if (!stay.waiting.empty()) first = std::min(first, stay.waiting.front()->frame);
    if (!stay.window.held().empty()) first = std::min(first, stay.window.held().front()->frame);
  }
  return first;
}

int64_t FaceWindows::samples_held() const {
  int64_t count = 0;
  for (const Stay& stay : stays_)
    count += std::ssize(stay.waiting) + std::ssize(stay.window.held());
  return count;
}

}  // namespace grimace
