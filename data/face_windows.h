// From the frames of a video, one after another, to what a classifier is asked about: windows of
// cropped faces, one person each, and the times without any face. Memory depends on how many people
// are seen at once, not on how long the video is.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "data/face_detector.h"
#include "data/face_tracker.h"
#include "data/labelled_clip.h"
#include "data/resize.h"
#include "data/sliding_window.h"

namespace grimace {

struct FaceWindowsConfig {
  FrameConfig clip = {};     // frames of a window, the video's frames for each, their size
  int64_t stride = 8;        // samples from the start of a window to that of the next
  int64_t detect_every = 4;  // frames of the video from one look for faces to the next
  double crop = 1.5;         // side of the crop over the side of the face's box
  FaceTrackerConfig tracker = {};
};
void validate(const FaceWindowsConfig& config);  // Error naming the value out of range

struct FaceSample {
  int64_t frame = 0;  // of the video
  double seconds = 0;
  FaceBox box = {};  // of the face
  Image image = {};  // the crop around it, image_size x image_size
};

struct FaceWindow {
  int64_t person = 0;  // 0: nobody's face was seen
  double start = 0;    // seconds of its first frame
  double end = 0;      // seconds of its last, its duration included
  // Of the person; as many as the model takes. The last may be repeated.
  std::vector<std::shared_ptr<const FaceSample>> samples = {};
};

// A square of `scale` times the face's larger side around its centre, moved inside the frame and,
// where it is larger than the frame, made smaller.
Box crop_box(const FaceBox& face, double scale, int width, int height);

class FaceWindows {
 public:
  using Give = std::function<void(FaceWindow)>;
  // Without a detector every frame is one face, person 1, taken whole.
  FaceWindows(const FaceWindowsConfig& config, FaceDetector* detector, Give give);

  // Next frame of the video; `image` is called at most once, and only where the pixels matter.
  void add(double seconds, double duration, const std::function<Image()>& image);
  void finish();  // gives the windows that the end completes

  // Windows still to come begin at this frame or later.
  int64_t settled() const;
  int64_t samples_held() const;  // crops in memory, those in windows given away not counted

 private:
  using Sample = std::shared_ptr<const FaceSample>;
  // One person's stay in the picture.
  struct Stay {
    int64_t track = 0;
    int64_t person = 0;
    int64_t first_frame = 0;
    double start = 0;
    FaceBox box = {};
    int64_t missed = 0;  // looks
    SlidingWindow<Sample> window;
    std::deque<Sample> waiting = {};  // until a later look shows the face still there
  };

  void look(const Image& image);
  void update_stays();
  void note_absence();
  void take_sample(Stay& stay, const Image& image);
  void confirm(Stay& stay);
  void close(Stay& stay);
  void give(const Stay& stay);
  void give_absence(double until);
  bool sample_due(const Stay& stay) const;

  FaceWindowsConfig config_;
  FaceDetector* detector_;
  Give give_;
  FaceTracker tracker_;
  std::vector<Stay> stays_;
  int64_t frame_ = -1;
  double now_ = 0;
  double duration_ = 0;
  struct Absence {
    int64_t frame;
    double seconds;
  };
  std::optional<Absence> absence_;  // first look of those that showed no person
};

}  // namespace grimace
