// Scalar results in pinned host memory, of the last two runs, and whether a run met bad data.
// Copied after every run; looking at a run waits for that run alone.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <vector>

#include "backends/cuda/context.h"
#include "backends/cuda/resources.h"

namespace grimace::cuda {

class Mirror {
 public:
  // Before allocate().
  void add(const std::string& name, const TensorType& type, const std::byte* device);
  void add_fault_flag(Faults& faults);
  void allocate();

  // After the kernels of a run were enqueued.
  void update(cudaStream_t stream);
  // Until the last run is done. RunError when it met bad data or the device failed.
  void wait() { wait(runs_); }
  // The value after the last run; the answer may be had until the run after the next one starts.
  std::function<double()> read_later(const std::string& name);

 private:
  struct Scalar {
    TensorType type;
    const std::byte* device = nullptr;
    size_t place = 0;  // in a slot
  };

  void clear_flag();
  std::byte* slot(int64_t run) const;
  void wait(int64_t run);

  std::vector<Scalar> scalars_;
  std::map<std::string, size_t> index_;
  Faults* faults_ = nullptr;
  DeviceMemory flag_;
  PinnedMemory pinned_;
  std::array<Event, 2> done_;
  int64_t runs_ = 0;
};

}  // namespace grimace::cuda
