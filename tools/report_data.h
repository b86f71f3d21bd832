// What a report shows, read from the files that runs, evaluate, reconstruct and predict leave
// behind. Those files may come from anywhere: sizes are limited, and nothing in them is trusted.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace grimace {

using CurvePoint = std::array<double, 2>;
struct Curve {
  std::string name;
  std::vector<CurvePoint> points;  // by rising x
};

// Of a run folder: metrics.jsonl, validation.jsonl.
struct TrainingCurves {
  std::string name;
  int64_t steps = 0;
  Curve loss;                     // over steps
  std::vector<Curve> validation;  // UAR and WAR in percent over epochs
};

// evaluate's metrics.json.
struct EvaluationFigures {
  struct Class {
    std::string name;
    std::optional<double> recall, f1;
  };
  std::string name, list;
  int64_t clips = 0;
  std::optional<double> uar, war, macro_f1;
  std::vector<Class> classes;
  std::vector<std::vector<int64_t>> confusion;  // [true][predicted]
};

struct ReportPicture {
  std::string name;
  std::string png;  // the file's bytes
};

// predict's lines: one stretch of time of one person, or of none.
struct TimelineRow {
  double start = 0.0, end = 0.0;                          // seconds
  std::string label;                                      // empty: no face
  std::vector<std::pair<uint32_t, float>> probabilities;  // by number in ReportData::expressions
};
struct Timeline {
  std::string file, person;
  std::vector<TimelineRow> rows;
};

struct ReportData {
  std::vector<TrainingCurves> trainings;
  std::vector<EvaluationFigures> evaluations;
  std::vector<ReportPicture> pictures;
  std::vector<Timeline> timelines;
  std::map<std::string, uint32_t> expressions;  // of all timelines, numbered as they came
};

// Adds what `path` holds: a run or result folder (with its folders directly below), a .png, a
// metrics.json, or a .jsonl of predict. Error naming the file where it is none of these, damaged or
// too large; files in a folder that are no part of a report are passed over.
void add_to_report(ReportData& report, const std::filesystem::path& path);

}  // namespace grimace
