#include "data/face_tracker.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace grimace {
namespace {

// How well a detection continues a track: overlap where they overlap, below 0 by distance where a
// face moved on between two looks; nothing where it cannot be the same.
std::optional<float> likeness(const FaceTrack& track, const FaceBox& seen) {
  constexpr float kMostScaled = 1.8f;
  constexpr float kMostMoved = 0.8f;  // in faces, from one look to the next
  constexpr int64_t kMostPatient = 4;
  const float scaled = seen.width / track.box.width;
  if (scaled > kMostScaled || scaled < 1 / kMostScaled) return std::nullopt;
  if (const float shared = overlap(track.box, seen); shared > 0.2f) return shared;
  const float moved =
      std::hypot(seen.centre_x() - track.box.centre_x(), seen.centre_y() - track.box.centre_y()) /
      track.box.width;
  const auto looks = static_cast<float>(std::min(track.missed + 1, kMostPatient));
  if (moved > kMostMoved * std::sqrt(looks)) return std::nullopt;
  return -moved;
}

struct Pair {
  float likeness;
  size_t track;
  size_t face;
};

// A second detection of a face that has one, at another scale.
bool repeats(const FaceBox& box, const std::vector<FaceTrack>& tracks) {
  return std::ranges::any_of(tracks, [&](const FaceTrack& track) {
    return track.missed == 0 &&
           (overlap(track.box, box) > 0.2f ||
            (std::abs(track.box.centre_x() - box.centre_x()) < box.width / 2 &&
             std::abs(track.box.centre_y() - box.centre_y()) < box.height / 2));
  });
}

}  // namespace

void FaceTracker::follow(FaceTrack& track, const FaceBox& seen) const {
  const auto mix = [](float was, float is, double weight) {
    return was + (is - was) * static_cast<float>(weight);
  };
  // After a gap the old box says little about where the face is.
  const double centre_weight = track.missed > 0 ? 1.0 : config_.centre_weight;
  const float x = mix(track.box.centre_x(), seen.centre_x(), centre_weight);
  const float y = mix(track.box.centre_y(), seen.centre_y(), centre_weight);
  const float width = mix(track.box.width, seen.width, config_.size_weight);
  const float height = mix(track.box.height, seen.height, config_.size_weight);
  track.box = {x - width / 2, y - height / 2, width, height};
  track.missed = 0;
  if (++track.hits == 2 && track.person == 0) track.person = -1;  // numbered in order, below
}

void FaceTracker::look(std::span<const Face> faces) {
  std::vector<Pair> pairs;
  for (size_t t = 0; t < tracks_.size(); ++t)
    for (size_t f = 0; f < faces.size(); ++f)
      if (const auto alike = likeness(tracks_[t], faces[f].box)) pairs.push_back({*alike, t, f});
  std::ranges::stable_sort(pairs, std::greater<>(), &Pair::likeness);
  std::vector<char> followed(tracks_.size(), 0);
  std::vector<char> used(faces.size(), 0);
  for (const Pair& pair : pairs) {
    if (followed[pair.track] || used[pair.face]) continue;
    followed[pair.track] = used[pair.face] = 1;
    follow(tracks_[pair.track], faces[pair.face].box);
  }
  for (size_t t = 0; t < followed.size(); ++t) tracks_[t].missed += followed[t] ? 0 : 1;
  for (FaceTrack& track : tracks_)
    if (track.person < 0) track.person = next_person_++;
  for (size_t f = 0; f < faces.size(); ++f)
    if (!used[f] && faces[f].score > config_.new_score && !repeats(faces[f].box, tracks_))
      tracks_.push_back({.key = next_key_++, .box = faces[f].box, .hits = 1});
  std::erase_if(tracks_, [&](const FaceTrack& track) {
    return track.missed > (track.person == 0 ? config_.hold : config_.forget);
  });
}

void FaceTracker::accept_newest() {
  for (FaceTrack& track : tracks_)
    if (track.person == 0 && track.missed == 0) track.person = next_person_++;
}

}  // namespace grimace
