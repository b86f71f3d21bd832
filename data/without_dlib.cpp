// Stands in for the face detector in a build without dlib.
#include "data/face_detector.h"
#include "ir/error.h"

namespace grimace {

bool has_face_detector() {
  return false;
}

std::unique_ptr<FaceDetector> make_face_detector(const FaceDetectorConfig&) {
  throw Error(
      "this build cannot find faces: it was made without dlib (Debian and Ubuntu: libdlib-dev); "
      "give --face none where the frames already are faces");
}

}  // namespace grimace
