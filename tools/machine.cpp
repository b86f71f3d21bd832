#include "tools/machine.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>
#include <thread>

namespace grimace {
namespace {

constexpr std::array kFeatures{"avx2",        "fma",         "avx512f",  "avx512_vnni",
                               "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16"};

// What follows the colon in "key : value" lines.
std::string entry(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == line.npos) continue;
    if (line.find_first_not_of(" \t", key.size()) != colon) continue;
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == line.npos ? "" : line.substr(start);
  }
  return {};
}

int64_t kib_entry_bytes(const char* file, const std::string& key) {
  int64_t kib = 0;
  std::istringstream(entry(file, key)) >> kib;
  return kib * 1024;
}

// A limit file of a control group; "max", or no such file, is no limit.
int64_t limit_from(const char* file) {
  int64_t limit = 0;
  return std::ifstream(file) >> limit ? limit : std::numeric_limits<int64_t>::max();
}

double core_quota() {
  double quota = 0.0, period = 0.0;
  std::ifstream in("/sys/fs/cgroup/cpu.max");
  return in >> quota >> period && period > 0 ? quota / period : 0.0;
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.processor = entry("/proc/cpuinfo", "model name");
  std::istringstream words(entry("/proc/cpuinfo", "flags"));
  const std::set<std::string> flags{std::istream_iterator<std::string>(words), {}};
  for (const char* feature : kFeatures)
    if (flags.contains(feature)) machine.features.emplace_back(feature);
  machine.cores_usable = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  machine.core_quota = core_quota();
  const int64_t limit = limit_from("/sys/fs/cgroup/memory.max");
  machine.memory_bytes = std::min(kib_entry_bytes("/proc/meminfo", "MemTotal"), limit);
  machine.available_bytes = std::min(kib_entry_bytes("/proc/meminfo", "MemAvailable"), limit);
  return machine;
}

int64_t peak_resident_bytes() {
  return kib_entry_bytes("/proc/self/status", "VmHWM");
}

}  // namespace grimace
