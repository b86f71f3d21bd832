// The machine as Linux describes it to this process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace grimace {

struct Machine {
  std::string processor;              // "AMD EPYC 9R14"; empty when unknown
  std::vector<std::string> features;  // of those that matter for speed, as in /proc/cpuinfo
  int cores_usable = 1;               // by affinity
  double core_quota = 0.0;            // cores worth of time that a container grants; 0: no limit
  int64_t memory_bytes = 0;           // of the machine, or of the container if that is less
  int64_t available_bytes = 0;        // 0 when unknown
};

Machine this_machine();

// The most memory that was resident in this process so far (VmHWM); 0 when unknown.
int64_t peak_resident_bytes();

}  // namespace grimace
