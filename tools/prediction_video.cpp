#include "tools/prediction_video.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "ir/error.h"
#include "tools/table.h"

namespace grimace {
namespace {

constexpr std::array<Rgb, 6> kColours{{{80, 220, 120},
                                       {255, 190, 60},
                                       {110, 180, 255},
                                       {255, 120, 120},
                                       {220, 140, 255},
                                       {240, 240, 110}}};
constexpr Rgb kInk{20, 20, 20};
constexpr int kLetter = 7;  // height of a letter at scale 1

void fill(Image& image, int x, int y, int width, int height, Rgb colour) {
  if (width > 0 && height > 0) paste(image, make_image(width, height, colour), x, y);
}

void outline(Image& image, const FaceBox& box, int thick, Rgb colour) {
  const auto left = static_cast<int>(std::lround(box.x));
  const auto top = static_cast<int>(std::lround(box.y));
  const auto width = std::clamp(static_cast<int>(std::lround(box.width)), 1, image.width);
  const auto height = std::clamp(static_cast<int>(std::lround(box.height)), 1, image.height);
  fill(image, left, top, width, thick, colour);
  fill(image, left, top + height - thick, width, thick, colour);
  fill(image, left, top, thick, height, colour);
  fill(image, left + width - thick, top, thick, height, colour);
}

// Between two samples the box moves straight from one to the other.
FaceBox box_at(const std::vector<std::pair<int64_t, FaceBox>>& boxes, int64_t frame) {
  const auto after =
      std::ranges::upper_bound(boxes, frame, {}, &std::pair<int64_t, FaceBox>::first);
  if (after == boxes.begin()) return boxes.front().second;
  if (after == boxes.end()) return boxes.back().second;
  const auto& [from, a] = *(after - 1);
  const auto& [to, b] = *after;
  const float t = static_cast<float>(frame - from) / static_cast<float>(to - from);
  const auto mix = [&](float u, float v) { return u + (v - u) * t; };
  return {mix(a.x, b.x), mix(a.y, b.y), mix(a.width, b.width), mix(a.height, b.height)};
}

}  // namespace

PredictionVideo::PredictionVideo(const std::filesystem::path& out,
                                 std::unique_ptr<FrameStream> frames,
                                 std::vector<std::string> classes, int64_t sampling_rate)
    : out_(out),
      frames_(std::move(frames)),
      classes_(std::move(classes)),
      sampling_rate_(sampling_rate) {}

void PredictionVideo::add(const FaceWindow& window, const Prediction& prediction) {
  if (!prediction.face()) return;
  Shown shown{.person = prediction.person,
              .text = cat(prediction.person, ": ", classes_[prediction.top()], " ",
                          fixed(100 * prediction.probabilities[prediction.top()], 0), "%")};
  for (const auto& sample : window.samples)
    if (shown.boxes.empty() || sample->frame > shown.last())
      shown.boxes.emplace_back(sample->frame, sample->box);
  shown_.push_back(std::move(shown));
}

void PredictionVideo::draw_until(int64_t frame) {
  while (next_ < frame && draw_next()) {
  }
}

bool PredictionVideo::draw_next() {
  if (!frames_->next()) return false;
  Image image = frames_->image();
  std::erase_if(shown_, [&](const Shown& s) { return s.last() + sampling_rate_ <= next_; });
  std::map<int64_t, const Shown*> nearest;  // of each person's windows, the one around this frame
  for (const Shown& shown : shown_) {
    if (shown.first() > next_) continue;
    const auto away = [&](const Shown& s) { return std::abs(s.first() + s.last() - 2 * next_); };
    const auto [place, is_new] = nearest.emplace(shown.person, &shown);
    if (!is_new && away(shown) < away(*place->second)) place->second = &shown;
  }
  for (const auto& [person, shown] : nearest) draw(image, *shown);
  ++next_;
  // The codec wants even sides.
  const Box even{0, 0, image.width & ~1, image.height & ~1};
  if (!writer_)
    writer_ = std::make_unique<VideoWriter>(
        out_, even.width, even.height,
        std::clamp(static_cast<int>(std::lround(frames_->frames_per_second())), 1, 240));
  writer_->add(crop(image, even));
  return true;
}

void PredictionVideo::draw(Image& image, const Shown& shown) const {
  const int scale = std::max(1, std::min(image.width, image.height) / 240);
  const Rgb colour = kColours[static_cast<size_t>(shown.person - 1) % kColours.size()];
  const FaceBox box = box_at(shown.boxes, next_);
  outline(image, box, 1 + scale, colour);
  const int width = text_width(shown.text, scale) + 2 * scale;
  const int height = (kLetter + 4) * scale;
  const int x = std::clamp(static_cast<int>(box.x), 0, std::max(0, image.width - width));
  const int y = std::clamp(static_cast<int>(box.y) - height, 0, std::max(0, image.height - height));
  fill(image, x, y, width, height, colour);
  draw_text(image, shown.text, x + 2 * scale, y + 2 * scale, scale, kInk);
}

void PredictionVideo::finish(const std::atomic<bool>& stop) {
  while (!stop && draw_next()) {
  }
  if (stop && writer_ == nullptr) return;
  check(writer_ != nullptr, out_.string(), ": there is no frame to draw on");
  writer_->finish();
}

}  // namespace grimace
