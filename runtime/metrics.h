// metrics.jsonl: one JSON object per optimizer step, one line each, for plots and for scripts. The
// writer serves other files of such lines as well.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace grimace {

struct StepMetrics {
  int64_t step = 0;   // counted from 0 over the whole run
  int64_t epoch = 0;  // counted from 0
  double loss = 0.0;
  double lr = 0.0;
  double grad_norm = 0.0;
  double clips_per_s = 0.0;
  double data_wait = 0.0;  // fraction of the step's time spent waiting for data, 0 to 1
};

// {"step":0,"epoch":0,"loss":...}, without a line end; NaN and infinities become null.
std::string to_json(const StepMetrics& metrics);

// Appends lines, each in one write, so a reader or a crash never sees half of one in between.
class MetricsWriter {
 public:
  // Creates the file, or continues it: what an earlier run logged for steps >= next_step, and a
  // line it left unfinished, are cut off. RunError when the file cannot be written.
  MetricsWriter(const std::filesystem::path& path, int64_t next_step);
  ~MetricsWriter();
  MetricsWriter(const MetricsWriter&) = delete;
  MetricsWriter& operator=(const MetricsWriter&) = delete;

  void append(const std::string& line);  // a JSON object with "step"

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace grimace
