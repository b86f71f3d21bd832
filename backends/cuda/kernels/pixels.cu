// normalise_pixels: y = (x / 255 - mean) / std, bytes in, floats out. A plane of one colour of one
// clip per blockIdx.y; four bytes at a time where the planes allow it, so that the floats of a warp
// lie together.
#include "backends/cuda/kernels/common.h"
#include "ir/pixels.h"

namespace grimace::cuda {
namespace {

struct Colours {
  float mean[3];
  float deviation[3];
};

__device__ __forceinline__ float normalised(unsigned byte, float mean, float deviation) {
  return (static_cast<float>(byte) / 255.0f - mean) / deviation;
}

__device__ __forceinline__ float4 four(unsigned word, float mean, float deviation) {
  return make_float4(
      normalised(word & 0xff, mean, deviation), normalised(word >> 8 & 0xff, mean, deviation),
      normalised(word >> 16 & 0xff, mean, deviation), normalised(word >> 24, mean, deviation));
}

__global__ void __launch_bounds__(kThreads)
    normalise_vectors(const uint32_t* x, float4* y, int64_t words, int64_t planes,
                      Colours colours) {
  for (int64_t p = blockIdx.y; p < planes; p += gridDim.y) {
    const float mean = colours.mean[p % 3];
    const float deviation = colours.deviation[p % 3];
    read_then_write<kUnroll>(
        words, [&](int64_t i) { return x[p * words + i]; },
        [&](int64_t i, uint32_t word) { y[p * words + i] = four(word, mean, deviation); });
  }
}

__global__ void __launch_bounds__(kThreads)
    normalise_bytes(const uint8_t* x, float* y, int64_t plane, int64_t planes, Colours colours) {
  for (int64_t p = blockIdx.y; p < planes; p += gridDim.y)
    for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < plane;
         i += int64_t{gridDim.x} * kThreads)
      y[p * plane + i] =
          normalised(x[p * plane + i], colours.mean[p % 3], colours.deviation[p % 3]);
}

}  // namespace

bool serves_pixels(const Node& node) {
  return node.out().dtype == DType::f32;
}

GpuKernel make_pixels(const Node& node, const Operands& operands, const Context&) {
  constexpr int64_t kMostPlanes = 65535;
  const int64_t planes = 3 * node.in(0).shape[0];
  const int64_t plane = planes == 0 ? 0 : node.in(0).numel() / planes;
  if (planes * plane == 0) return nothing();
  const bool vectors = plane % 4 == 0;
  const int64_t threads = vectors ? quotient_up(plane / 4, kUnroll) : plane;
  const Geometry geometry{.grid = dim3(blocks_for(threads, kThreads),
                                       static_cast<unsigned>(std::min(planes, kMostPlanes))),
                          .block = dim3(kThreads)};
  Colours colours{};
  for (size_t c = 0; c < 3; ++c) {
    colours.mean[c] = kPixelMean<float>[c];
    colours.deviation[c] = kPixelStd<float>[c];
  }
  if (vectors)
    return {.name = cat("normalise_vectors, ", to_string(geometry)),
            .run = [=, x = address<uint32_t>(operands.in[0]),
                    y = address<float4>(operands.out[0])](cudaStream_t stream) {
              launch(normalise_vectors, geometry, stream, x, y, plane / 4, planes, colours);
            }};
  return {.name = cat("normalise_bytes, ", to_string(geometry)),
          .run = [=, x = address<uint8_t>(operands.in[0]),
                  y = address<float>(operands.out[0])](cudaStream_t stream) {
            launch(normalise_bytes, geometry, stream, x, y, plane, planes, colours);
          }};
}

}  // namespace grimace::cuda
