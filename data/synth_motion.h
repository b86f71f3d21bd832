// The score of one synthetic clip: who, which expression, how it rises and falls, and what else
// moves (head, gaze, blinks, talk). A clip is a pure function of its random stream.
#pragma once

#include <vector>

#include "data/synth_face.h"

namespace grimace::synth {

inline constexpr int kFramesPerSecond = 25;

// A slow smooth wander around a middle: two sines.
struct Wander {
  float middle = 0;
  std::array<float, 2> size{}, speed{}, phase{};
  float at(float seconds) const;
};

struct ClipScore {
  Expression expression = Expression::neutral;
  int frames = 0;              // 48..72
  Muscles rest{};              // this clip's resting face
  Muscles apex{};              // its face at the height of the expression
  float onset = 0, rise = 0;   // frame where it starts; frames until the height
  float offset = 0, fall = 0;  // frame where it fades; frames until it has faded
  float remainder = 0;         // strength after fading
  float tremble = 0, tremble_speed = 0;
  float talk = 0, talk_speed = 0;
  float left_gain = 1, right_gain = 1;
  std::vector<float> blinks;  // frames where an eye is fully closed
  Wander roll, yaw, pitch, x, y, scale, gaze_x, gaze_y;
  Light light;
};

ClipScore make_clip_score(Expression expression, PhiloxStream& random);

// How a clip is staged. At a variation of 0 a face stays upright, frontal and centred under an even
// light without noise; zoom enlarges it.
struct Staging {
  float variation = 1;  // 0..1
  float zoom = 1;       // 0.5..1.5
  bool operator==(const Staging&) const = default;
};
void stage(ClipScore& score, const Staging& staging);

// Strength of the expression at a frame: 0 before the onset, about 1 at its height.
float intensity(const ClipScore& score, float frame);

FaceState face_at(const ClipScore& score, int frame);

}  // namespace grimace::synth
