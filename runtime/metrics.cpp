// Appending to metrics.jsonl, and finding where a resumed run continues it.
#include "runtime/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "runtime/atomic_file.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

using nlohmann::json;

// Bytes up to the first line that is unfinished, unreadable or of a step that will be done again.
int64_t valid_bytes(const fs::path& path, int64_t next_step) {
  std::ifstream in(path, std::ios::binary);
  int64_t bytes = 0;
  for (std::string line; std::getline(in, line) && !in.eof();) {
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("step")) break;
    if (!object["step"].is_number_integer() || object["step"] >= next_step) break;
    bytes += static_cast<int64_t>(line.size()) + 1;
  }
  return bytes;
}

}  // namespace

std::string to_json(const StepMetrics& metrics) {
  return nlohmann::ordered_json{
      {"step", metrics.step},           {"epoch", metrics.epoch},
      {"loss", metrics.loss},           {"lr", metrics.lr},
      {"grad_norm", metrics.grad_norm}, {"clips_per_s", metrics.clips_per_s},
      {"data_wait", metrics.data_wait}}
      .dump();
}

MetricsWriter::MetricsWriter(const fs::path& path, int64_t next_step) : path_(path) {
  fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0 || ftruncate(fd_, valid_bytes(path, next_step)) != 0) {
    const int code = errno;
    if (fd_ >= 0) close(fd_);
    throw RunError(cat("cannot write ", path.string(), ": ", std::strerror(code)));
  }
}

MetricsWriter::~MetricsWriter() {
  close(fd_);
}

void MetricsWriter::append(const std::string& line) {
  const std::string ended = line + "\n";
  write_fully(fd_, std::as_bytes(std::span(ended)), path_);
}

}  // namespace grimace
