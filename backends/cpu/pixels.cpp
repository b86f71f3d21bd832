// normalise_pixels: one pass from bytes to floats, plane by plane, with the roundings of the
// formula.
#include "ir/pixels.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"

namespace grimace::cpu {

Kernel make_normalise_pixels(const Node& node, const Operands& operands, const Context& cpu) {
  const int64_t planes = 3 * node.in(0).shape[0];
  const int64_t plane = planes == 0 ? 0 : node.in(0).numel() / planes;
  return [=, x = operands.in[0].as<uint8_t>().data(), y = operands.out[0].as<float>().data()] {
    for (int64_t p = 0; p < planes; ++p) {
      const float mean = kPixelMean<float>[static_cast<size_t>(p % 3)];
      const float deviation = kPixelStd<float>[static_cast<size_t>(p % 3)];
      const uint8_t* from = x + p * plane;
      float* to = y + p * plane;
      parallel_for(cpu, plane, kGrain, [=](int64_t begin, int64_t end) {
#pragma GCC ivdep
        for (int64_t i = begin; i < end; ++i)
          to[i] = (static_cast<float>(from[i]) / 255.0f - mean) / deviation;
      });
    }
  };
}

}  // namespace grimace::cpu
