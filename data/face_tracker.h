// Which detections are the same person: numbers people, bridges gaps, smooths boxes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/face_box.h"

namespace grimace {

struct FaceTrackerConfig {
  double new_score = 0;        // of a detection that starts a track; a fainter one may only go on
  double centre_weight = 0.5;  // of a new detection in the box's centre; the rest is what was
  double size_weight = 0.25;   // in its size, which jumps from one scale to the next
  int64_t hold = 3;            // looks without detection that are taken for a blink of the detector
  int64_t forget = 12;         // looks after which the person is forgotten, and new when seen again
};

struct FaceTrack {
  int64_t key = 0;     // of the track, ascending
  int64_t person = 0;  // from 1 in the order in which people appear; 0 until seen twice
  FaceBox box = {};    // smoothed
  int64_t hits = 0;    // looks that showed it
  int64_t missed = 0;  // looks since the last of them
};

class FaceTracker {
 public:
  explicit FaceTracker(const FaceTrackerConfig& config = {}) : config_(config) {}

  // One look: what was detected in a frame. Memory: the tracks that are not forgotten.
  void look(std::span<const Face> faces);
  // What was seen in the last look alone counts as a person: there was no second chance.
  void accept_newest();
  const std::vector<FaceTrack>& tracks() const { return tracks_; }
  const FaceTrackerConfig& config() const { return config_; }

 private:
  void follow(FaceTrack& track, const FaceBox& seen) const;

  FaceTrackerConfig config_;
  std::vector<FaceTrack> tracks_;
  int64_t next_key_ = 0;
  int64_t next_person_ = 1;
};

}  // namespace grimace
