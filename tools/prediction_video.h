// Draws predictions on the frames of the video they were made from: a second reading of it that
// follows the first, so that memory does not grow with its length.
#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/frame_stream.h"
#include "data/video_writer.h"
#include "tools/prediction_report.h"

namespace grimace {

class PredictionVideo {
 public:
  // `sampling_rate`: frames for which a sample's box holds. Opens the video at its start.
  PredictionVideo(const std::filesystem::path& out, std::unique_ptr<FrameStream> frames,
                  std::vector<std::string> classes, int64_t sampling_rate);

  // One window that was answered. In order of their ends for each person.
  void add(const FaceWindow& window, const Prediction& prediction);
  void draw_until(
      int64_t frame);  // the frames before `frame`: all windows that show them are known
  // The rest, and the file. With `stop`, only what was drawn until then; no file where that is
  // nothing.
  void finish(const std::atomic<bool>& stop);

 private:
  struct Shown {
    int64_t person = 0;
    std::string text = {};
    std::vector<std::pair<int64_t, FaceBox>> boxes = {};  // by frame, ascending
    int64_t first() const { return boxes.front().first; }
    int64_t last() const { return boxes.back().first; }
  };
  bool draw_next();
  void draw(Image& image, const Shown& shown) const;

  std::filesystem::path out_;
  std::unique_ptr<FrameStream> frames_;
  std::vector<std::string> classes_;
  int64_t sampling_rate_;
  int64_t next_ = 0;
  std::deque<Shown> shown_;
  std::unique_ptr<VideoWriter> writer_;  // when the size is known
};

}  // namespace grimace
