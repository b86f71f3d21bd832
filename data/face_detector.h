// Finds faces in a picture: dlib's detector for frontal faces (histograms of oriented gradients and
// a linear classifier, Dalal and Triggs 2005), which comes with the library and needs no file.
#pragma once

#include <memory>
#include <vector>

#include "data/face_box.h"
#include "data/image.h"

namespace grimace {

class FaceDetector {
 public:
  virtual ~FaceDetector() = default;
  // Faces that look towards the camera, surest first, with every score above kFaintFace.
  virtual std::vector<Face> find(const Image& image) = 0;
};

// Below this a detection says nothing, above it may confirm a face that was there before.
constexpr double kFaintFace = -0.3;

struct FaceDetectorConfig {
  // Side of the smallest face to find, as a share of the picture's shorter side. The time to find
  // faces grows with the inverse square of it.
  double min_face = 0.125;
};

bool has_face_detector();  // whether this build has one
// Error in a build without dlib, or where min_face is not in 0.02..1.
std::unique_ptr<FaceDetector> make_face_detector(const FaceDetectorConfig& config);

}  // namespace grimace
