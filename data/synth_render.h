// Renders one frame of a synthetic face. About a millisecond at 224 x 224.
#pragma once

#include "data/image.h"
#include "data/synth_face.h"
#include "data/synth_paint.h"

namespace grimace::synth {

// A still background: gradient, soft shapes, fine texture. Drawn once per clip.
Canvas make_backdrop(int size, PhiloxStream& random);

// `grain` seeds the camera's noise; the rest of the picture does not depend on it.
Image render_face(const Person& person, const FaceState& state, const Light& light,
                  const Canvas& backdrop, uint64_t grain);

// The parts of a picture below share this. The head is a soft-edged egg
// (x / width)^2 + egg(y) = 1, with a height towards the viewer for light and turning.
struct FacePainter {
  Canvas& canvas;
  const Person& person;
  const FaceState& state;
  const Light& light;
  Placement head;  // face coordinates
  float chin = 0;  // y, with the jaw's drop

  FacePainter(Canvas& canvas, const Person& person, const FaceState& state, const Light& light);
  float muscle(Muscle m) const { return state.muscles[m]; }
  float egg(float y) const;
  // A frame on the face's surface at (x, y), moved and foreshortened by yaw and pitch;
  // `lift` is the height above the surface (nose). side -1 mirrors u, so that u points outwards.
  Placement on_face(float x, float y, float lift = 0, float side = 1, float angle = 0) const;

  void paint_body() const;  // back hair, shoulders, neck, ears
  void paint_skin() const;
  void paint_hair() const;      // in front of the forehead
  void paint_features() const;  // relief, nose, mouth, eyes, brows, glasses

 private:
  void paint_relief_and_folds() const;
  void paint_nose() const;
  void paint_mouth() const;
  void paint_eye(float side) const;
  void paint_brow(float side) const;
  void paint_glasses() const;
};

}  // namespace grimace::synth
