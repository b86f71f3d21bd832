// normalise_pixels: y = (x / 255 - mean) / std, bytes in, floats out. A plane of one colour of one
// clip per blockIdx.y; 16 bytes a thread where the planes allow it.
#include "backends/cuda/kernels.h"
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

// plane: a multiple of 16.
__global__ void normalise_vectors(const uint4* x, float4* y, int64_t vectors, int64_t planes,
                                  Colours colours) {
  for (int64_t p = blockIdx.y; p < planes; p += gridDim.y) {
    const float mean = colours.mean[p % 3];
    const float deviation = colours.deviation[p % 3];
    for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < vectors;
         i += int64_t{gridDim.x} * blockDim.x) {
      const uint4 bytes = x[p * vectors + i];
      float4* to = y + 4 * (p * vectors + i);
      to[0] = four(bytes.x, mean, deviation);
      to[1] = four(bytes.y, mean, deviation);
      to[2] = four(bytes.z, mean, deviation);
      to[3] = four(bytes.w, mean, deviation);
    }
  }
}

__global__ void normalise_bytes(const uint8_t* x, float* y, int64_t plane, int64_t planes,
                                Colours colours) {
  for (int64_t p = blockIdx.y; p < planes; p += gridDim.y)
    for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < plane;
         i += int64_t{gridDim.x} * blockDim.x)
      y[p * plane + i] =
          normalised(x[p * plane + i], colours.mean[p % 3], colours.deviation[p % 3]);
}

}  // namespace

bool serves_pixels(const Node& node) {
  return node.out().dtype == DType::f32;
}

GpuKernel make_pixels(const Node& node, const Operands& operands, const Context&) {
  constexpr int kThreads = 256;
  constexpr int64_t kVector = 16;
  constexpr int64_t kMostPlanes = 65535;
  const int64_t planes = 3 * node.in(0).shape[0];
  const int64_t plane = planes == 0 ? 0 : node.in(0).numel() / planes;
  if (planes * plane == 0) return {.name = "nothing", .run = [](cudaStream_t) {}};
  const bool vectors = plane % kVector == 0;
  const int64_t work = vectors ? plane / kVector : plane;
  const Geometry geometry{.grid = dim3(blocks_for(work, kThreads),
                                       static_cast<unsigned>(std::min(planes, kMostPlanes))),
                          .block = dim3(kThreads)};
  Colours colours{};
  for (size_t c = 0; c < 3; ++c) {
    colours.mean[c] = kPixelMean<float>[c];
    colours.deviation[c] = kPixelStd<float>[c];
  }
  const void* x = operands.in[0].data;
  void* y = operands.out[0].data;
  if (vectors)
    return {.name = cat("normalise_vectors, ", to_string(geometry)),
            .run = [=](cudaStream_t stream) {
              launch(normalise_vectors, geometry, stream, static_cast<const uint4*>(x),
                     static_cast<float4*>(y), work, planes, colours);
            }};
  return {.name = cat("normalise_bytes, ", to_string(geometry)), .run = [=](cudaStream_t stream) {
            launch(normalise_bytes, geometry, stream, static_cast<const uint8_t*>(x),
                   static_cast<float*>(y), work, planes, colours);
          }};
}

}  // namespace grimace::cuda
