// The best that this machine is seen to do, and the least time it allows a node: the roofline.
#pragma once

#include <functional>
#include <optional>

#include "backends/backend.h"

namespace grimace {

// Seconds that some work takes, on whichever clock.
using Stopwatch = std::function<double(const std::function<void()>&)>;
double wall_seconds(const std::function<void()>& work);

// FLOP/s of a large product in the element type, on random numbers: 4096x1024x4096 through the
// backend's own kernel, the best of 15, or what a device measures of itself. Takes minutes on the
// reference backend.
double product_flops(Backend& backend, DType dtype, const CompileOptions& on,
                     const Stopwatch& seconds_of = wall_seconds);
// Both products, and a copy of 256 MiB, by that many threads or on the device. Takes seconds.
Peaks measure_peaks(Backend& backend, const CompileOptions& on,
                    const Stopwatch& seconds_of = wall_seconds);
// Nothing for the reference backend, whose kernels are to be obvious and not fast.
std::optional<Peaks> peaks_worth_measuring(Backend& backend, const CompileOptions& on);

// What one execution of a node takes at least: by its operations, at the peak of bf16 when any
// input is bf16, and by its bytes; the larger of the two binds.
struct Roofline {
  double compute = 0.0, memory = 0.0;  // seconds
  double seconds() const { return compute > memory ? compute : memory; }
};
Roofline roofline_of(const Node& node, const Peaks& peaks);

}  // namespace grimace
