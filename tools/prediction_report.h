// What grimace predict found, row by row as it is found: lines of a table, CSV, JSON lines.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/face_windows.h"
#include "runtime/atomic_file.h"

namespace grimace {

constexpr const char* kNoFace = "no_face";

// One window of one person, or a time in which no face was seen.
struct Prediction {
  std::string file = {};
  int64_t person = 0;  // 0: no face; then there are neither probabilities nor a box
  double start = 0;    // seconds
  double end = 0;
  std::vector<double> probabilities = {};  // of each class
  FaceBox box = {};                        // mean over the window, in pixels of the frame

  bool face() const { return person > 0; }
  size_t top() const;  // the likeliest class, the first of equal ones
};

// For people: lines without their end, as wide as the names of the classes ask for.
class PredictionTable {
 public:
  explicit PredictionTable(const std::vector<std::string>& classes);
  std::string header() const;
  std::string line(const Prediction& prediction) const;

 private:
  const std::vector<std::string>& classes_;
  int width_;
};

std::string prediction_csv_header(const std::vector<std::string>& classes);
std::string prediction_csv(const Prediction& prediction, const std::vector<std::string>& classes);
std::string prediction_json(const Prediction& prediction, const std::vector<std::string>& classes);

// A file of rows, .csv or .jsonl by its name. Nothing is at its place before finish().
class PredictionFile {
 public:
  // Error where the name ends otherwise.
  PredictionFile(const std::string& path, std::vector<std::string> classes);
  void add(const Prediction& prediction);
  void finish();

 private:
  std::vector<std::string> classes_;
  bool json_ = false;
  AtomicFile file_;
};

}  // namespace grimace
