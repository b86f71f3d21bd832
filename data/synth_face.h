// Synthetic people and what their faces do: identity, facial muscles, pose, light. Plain numbers,
// no pixels. Face coordinates: origin between eyes and nose, x to the picture's right, y down,
// chin at about (0, 1), temples at about (+-0.75, 0).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "ir/philox.h"

namespace grimace::synth {

// The seven classes in the order of DFEW (spec 8.8).
inline constexpr std::array<std::string_view, 7> kExpressionNames{
    "happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"};
enum class Expression { happy, sad, neutral, angry, surprise, disgust, fear };

struct Colour {
  float r = 0, g = 0, b = 0;  // 0..1, display values
};

struct Mark {
  float x = 0, y = 0, radius = 0;
};

enum class HairStyle { short_cut, fringe, side_part, long_straight, long_wavy, receding };
inline constexpr int kHairStyles = 6;

// Lengths in face units; everything that stays the same over all clips of one person.
struct Person {
  Colour skin, hair, iris, lips, clothes;
  float width = 0;  // half width of the face at the eyes
  float jaw = 0;    // 0.25 square jaw .. 0.8 pointed chin
  float chin = 0;   // chin's y
  float crown = 0;  // -y of the top of the skull
  float eye_x = 0, eye_y = 0, eye_width = 0, eye_height = 0, eye_tilt = 0;
  float brow_y = 0, brow_thickness = 0, brow_arch = 0, brow_tilt = 0;
  float nose_y = 0, nose_width = 0;
  float mouth_y = 0, mouth_width = 0, lip_fullness = 0;
  HairStyle hair_style = HairStyle::short_cut;
  float hairline = 0, hair_volume = 0, hair_side = 0, hair_part = 0;
  float beard = 0, moustache = 0, lashes = 0;  // strengths 0..1
  bool glasses = false;
  std::array<Mark, 6> marks{};       // freckles and moles
  std::array<float, 256> strands{};  // smooth periodic noise in -1..1 for hair
};

// A pure function of `index`: person 17 looks the same in every run.
Person make_person(int index);

// Facial muscles, each 0 at rest; most reach +-1 at a full expression.
enum Muscle {
  kBrowInner,     // up
  kBrowOuter,     // up
  kBrowTogether,  // towards each other
  kEyeOpen,       // + wide, - narrow
  kLowerLid,      // up
  kCornerUp,      // mouth corners
  kMouthWide,
  kMouthOpen,
  kMouthSquare,  // opening: 0 round, 1 rectangular
  kUpperLip,     // up
  kLipPress,     // thin lips
  kNoseWrinkle,
  kCheekUp,
  kTeeth,
  kMuscleCount
};
using Muscles = std::array<float, kMuscleCount>;

// The muscles of an expression at its height; `variant` 0 or 1 (closed or open mouth, ...).
Muscles apex_muscles(Expression expression, int variant);

struct Pose {
  float roll = 0, yaw = 0, pitch = 0;  // radians
  float x = 0.5f, y = 0.5f;            // where the face's origin lies, fraction of the picture
  float scale = 0.4f;                  // one face unit, fraction of the picture
};

// Everything about a face in one frame.
struct FaceState {
  Muscles muscles{};
  float left_gain = 1, right_gain = 1;  // asymmetry of brows and mouth corners
  float lids = 1;                       // 0 closed by a blink .. 1
  float gaze_x = 0, gaze_y = 0;         // -1..1
  Pose pose;
};

struct Light {
  float x = 0, y = -0.4f, z = 0.9f;  // unit vector towards the light; z towards the viewer
  float ambient = 0.5f;
  float exposure = 1, contrast = 1;
  Colour tint{1, 1, 1};
  float noise = 0;  // standard deviation of the camera's noise, in display values 0..1
};

inline float uniform(PhiloxStream& random, double low, double high) {
  return static_cast<float>(random.uniform(low, high));
}

}  // namespace grimace::synth
