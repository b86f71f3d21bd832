// The only source that includes dlib, and builds with its package of any distribution.
#include "data/face_detector.h"

#include <dlib/assert.h>
#include <dlib/test_for_odr_violations.h>
// The packages' settings, read by the two headers above, ask for LAPACK. Here it would only factor
// the detector's filters once; dlib does that itself, and the program needs one library less.
#undef DLIB_USE_BLAS
#undef DLIB_USE_LAPACK
#include <dlib/image_processing/frontal_face_detector.h>

#include <cmath>

#include "data/resize.h"
#include "ir/error.h"

namespace grimace {
namespace {

constexpr double kSmallestSide = 80;   // of a face that dlib's detector finds
constexpr int kLargestSide = 4096;     // of a picture that is searched
constexpr double kMostEnlarged = 4.0;  // beyond this there is nothing to see

class DlibDetector : public FaceDetector {
 public:
  explicit DlibDetector(double min_face)
      : min_face_(min_face), detector_(dlib::get_frontal_face_detector()) {}

  std::vector<Face> find(const Image& image) override {
    const double scale = scale_for(image);
    const auto side = [&](int pixels) {
      return std::max(1, static_cast<int>(std::lround(pixels * scale)));
    };
    const Image scaled =
        resize(image, {0, 0, image.width, image.height}, side(image.width), side(image.height));
    std::vector<dlib::rect_detection> found;
    detector_(grey(scaled), found, kFaintFace);
    std::vector<Face> faces;
    for (const dlib::rect_detection& one : found) {
      const auto pixels = [&](long value) { return static_cast<float>(value / scale); };
      faces.push_back({{pixels(one.rect.left()), pixels(one.rect.top()),
                        pixels(static_cast<long>(one.rect.width())),
                        pixels(static_cast<long>(one.rect.height()))},
                       one.detection_confidence});
    }
    return faces;
  }

 private:
  // The smallest face wanted becomes the smallest that can be found.
  double scale_for(const Image& image) const {
    const double wanted = kSmallestSide / (min_face_ * std::min(image.width, image.height));
    const double most = static_cast<double>(kLargestSide) / std::max(image.width, image.height);
    return std::min({wanted, most, kMostEnlarged});
  }

  static dlib::array2d<unsigned char> grey(const Image& image) {
    dlib::array2d<unsigned char> out(image.height, image.width);
    const uint8_t* rgb = image.rgb.data();
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x, rgb += 3)  // luma of BT.601
        out[y][x] = static_cast<unsigned char>((rgb[0] * 299 + rgb[1] * 587 + rgb[2] * 114) / 1000);
    return out;
  }

  double min_face_;
  dlib::frontal_face_detector detector_;
};

}  // namespace

bool has_face_detector() {
  return true;
}

std::unique_ptr<FaceDetector> make_face_detector(const FaceDetectorConfig& config) {
  check(config.min_face >= 0.02 && config.min_face <= 1,
        "the smallest face must be in 0.02..1 of the frame's shorter side; got ", config.min_face);
  return std::make_unique<DlibDetector>(config.min_face);
}

}  // namespace grimace
