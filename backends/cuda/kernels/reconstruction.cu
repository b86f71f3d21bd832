// reconstruction_target and reconstruction_loss, a block for each cube: its pixels are read once,
// in runs of a cube's row, into shared memory [3, pixels]; there every channel is shifted by its
// first pixel, centred and scaled. The loss compares each value with the prediction on the spot,
// writes the gradient, and leaves the cube's sum of squares in the workspace, which a last block
// adds in a fixed order. All of it is f32; the gradient may be rounded to 16 bits.
//   target[i * 3 + c] = z_c[i], or z_c[i] - z_c[i % frame] beyond the first frame (differences)
#include "backends/cuda/kernels/reconstruction.h"

#include <cmath>

#include "backends/cuda/kernels/rows.h"
#include "ir/ops/cubes.h"
#include "ir/pixels.h"

namespace grimace::cuda {
namespace {

constexpr int kCubeThreads = 128;
constexpr int kChannels = 3;
constexpr int64_t kMostShared = 96 << 10;  // a bigger cube is expanded into its ops

struct Cubes {
  const float* video;    // [B,3,time,height,width], in pixels
  const int32_t* index;  // [B,per_clip]; null: all cubes in order
  int per_clip, tokens;
  int64_t time, height, width;
  int columns, rows;  // of cubes
  int tubelet, patch;
  bool normalise, differences;
  float mean[kChannels], deviation[kChannels];  // of pixels in [0,1], which the video's undo
  int* fault_flag;
  int fault;

  constexpr int frame() const { return patch * patch; }
  constexpr int pixels() const { return tubelet * patch * patch; }
};

// The token of the cube, or -1, reported, where its index is out of range.
// `tell`: whether this thread does so.
__device__ __forceinline__ int token_of(const Cubes& a, int cube, bool tell) {
  if (a.index == nullptr) return cube % a.per_clip;
  const int32_t token = a.index[cube];
  if (token >= 0 && token < a.tokens) return token;
  if (tell) report_fault(a.fault_flag, a.fault);
  return -1;
}

__device__ __forceinline__ const float* corner_of(const Cubes& a, int64_t clip, int token) {
  const int64_t t = token / (a.rows * a.columns) * a.tubelet;
  const int64_t r = token / a.columns % a.rows * a.patch;
  const int64_t c = token % a.columns * a.patch;
  return a.video + ((clip * kChannels * a.time + t) * a.height + r) * a.width + c;
}

// The pixels of the cube, in [0,1], into x [3, pixels].
__device__ __forceinline__ void read_cube(const Cubes& a, const float* corner, float* x) {
  const int pixels = a.pixels();
  for (int c = 0; c < kChannels; ++c) {
    const float mean = a.mean[c];
    const float deviation = a.deviation[c];
    const float* channel = corner + c * a.time * a.height * a.width;
    for (int i = static_cast<int>(threadIdx.x); i < pixels; i += kCubeThreads) {
      const int row = i / a.patch;  // of all frames
      const int64_t y = row / a.patch * a.height + row % a.patch;
      x[c * pixels + i] = fmaf(channel[y * a.width + i % a.patch], deviation, mean);
    }
  }
}

// Three sums over the block, one for each channel; every thread gets them. `scratch` is shared
// memory of 3 warps.
__device__ __forceinline__ void sum_channels(float (&v)[kChannels], float* scratch) {
  constexpr int kWarps = kCubeThreads / kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int c = 0; c < kChannels; ++c) v[c] = warp_sum(v[c]);
  __syncthreads();  // whoever used scratch before is done with it
  if (threadIdx.x % kWarp == 0)
    for (int c = 0; c < kChannels; ++c) scratch[c * kWarps + warp] = v[c];
  __syncthreads();
  for (int c = 0; c < kChannels; ++c) {
    v[c] = scratch[c * kWarps];
    for (int w = 1; w < kWarps; ++w) v[c] += scratch[c * kWarps + w];
  }
}

// x becomes (x - mean) / (sqrt(unbiased variance) + eps) per channel; shifted first, so that a
// channel without contrast gives exact zeros. Threads change the elements that they read and wrote.
__device__ __forceinline__ void normalise_cube(const Cubes& a, float* x, float* scratch) {
  const int pixels = a.pixels();
  const auto count = static_cast<float>(pixels);
  float first[kChannels];
  for (int c = 0; c < kChannels; ++c) first[c] = x[c * pixels];
  float mean[kChannels] = {};
  for (int i = static_cast<int>(threadIdx.x); i < pixels; i += kCubeThreads)
    for (int c = 0; c < kChannels; ++c) mean[c] += x[c * pixels + i] - first[c];
  sum_channels(mean, scratch);
  for (int c = 0; c < kChannels; ++c) mean[c] /= count;
  float sigma[kChannels] = {};
  for (int i = static_cast<int>(threadIdx.x); i < pixels; i += kCubeThreads)
    for (int c = 0; c < kChannels; ++c) {
      const float centred = x[c * pixels + i] - first[c] - mean[c];
      sigma[c] += centred * centred;
    }
  sum_channels(sigma, scratch);  // all threads have read the first pixels here
  for (int c = 0; c < kChannels; ++c)
    sigma[c] = sqrtf(sigma[c] / (count - 1.0f)) + static_cast<float>(kCubeSigmaEps);
  for (int i = static_cast<int>(threadIdx.x); i < pixels; i += kCubeThreads)
    for (int c = 0; c < kChannels; ++c)
      x[c * pixels + i] = (x[c * pixels + i] - first[c] - mean[c]) / sigma[c];
}

// The cube's target in shared memory, all but the differences; NaNs where the index is bad.
__device__ __forceinline__ void make_cube(const Cubes& a, int cube, float* x, float* scratch) {
  const int token = token_of(a, cube, threadIdx.x == 0);
  if (token < 0) {
    for (int i = static_cast<int>(threadIdx.x); i < kChannels * a.pixels(); i += kCubeThreads)
      x[i] = NAN;
    __syncthreads();
    return;
  }
  read_cube(a, corner_of(a, cube / a.per_clip, token), x);
  __syncthreads();
  if (!a.normalise) return;
  normalise_cube(a, x, scratch);
  __syncthreads();
}

// Value j of the target, [pixels, 3].
__device__ __forceinline__ float target_value(const Cubes& a, const float* x, int j) {
  const int i = j / kChannels;
  const float* channel = x + j % kChannels * a.pixels();
  const int frame = a.frame();
  return a.differences && i >= frame ? channel[i] - channel[i % frame] : channel[i];
}

__global__ void __launch_bounds__(kCubeThreads) cube_targets(Cubes a, float* __restrict__ target) {
  __shared__ float scratch[kWarp];
  auto* x = dynamic_shared<float>();
  const auto cube = static_cast<int>(blockIdx.x);
  make_cube(a, cube, x, scratch);
  const int size = kChannels * a.pixels();
  for (int j = static_cast<int>(threadIdx.x); j < size; j += kCubeThreads)
    target[int64_t{cube} * size + j] = target_value(a, x, j);
}

template <typename G>
__global__ void __launch_bounds__(kCubeThreads)
    cube_losses(Cubes a, const float* __restrict__ pred, float share, G* __restrict__ gradient,
                float* __restrict__ sums) {
  __shared__ float scratch[kWarp];
  auto* x = dynamic_shared<float>();
  const auto cube = static_cast<int>(blockIdx.x);
  make_cube(a, cube, x, scratch);
  const int size = kChannels * a.pixels();
  float sum = 0.0f;
  for (int j = static_cast<int>(threadIdx.x); j < size; j += kCubeThreads) {
    const float error = pred[int64_t{cube} * size + j] - target_value(a, x, j);
    gradient[int64_t{cube} * size + j] = from_float<G>(error * share);
    sum += error * error;
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) sums[cube] = sum;
}

// ---- Cubes of 2x16x16 in registers -----------------------------------------------------------
constexpr int kSide = 16;
constexpr int kFrames = 2;
constexpr int kPacks = kSide * kSide / 4 / kWarp;  // of four pixels, that a lane holds of a frame

// Pack k of a lane is pixels 4 (lane + 32 k) .. + 3 of a frame.
struct WarpCube {
  float x[kChannels][kFrames][kPacks][4];

  __device__ __forceinline__ void read(const Cubes& a, const float* corner, int lane) {
    for (int c = 0; c < kChannels; ++c)
      for (int f = 0; f < kFrames; ++f)
        for (int k = 0; k < kPacks; ++k) {
          const int pack = lane + k * kWarp;
          const int64_t y = (c * a.time + f) * a.height + pack / (kSide / 4);
          load<4>(corner + y * a.width + pack % (kSide / 4) * 4, x[c][f][k]);
        }
    for (int c = 0; c < kChannels; ++c)
      change(c, [&](float v) { return fmaf(v, a.deviation[c], a.mean[c]); });
  }

  __device__ __forceinline__ void normalise() {
    constexpr auto kCount = static_cast<float>(kFrames * kSide * kSide);
    for (int c = 0; c < kChannels; ++c) {
      const float first = __shfl_sync(kWholeWarp, x[c][0][0][0], 0);
      change(c, [&](float v) { return v - first; });
      const float mean = warp_sum(sum(c, [](float v) { return v; })) / kCount;
      change(c, [&](float v) { return v - mean; });
      const float squares = warp_sum(sum(c, [](float v) { return v * v; }));
      const float sigma = sqrtf(squares / (kCount - 1.0f)) + static_cast<float>(kCubeSigmaEps);
      change(c, [&](float v) { return v / sigma; });
    }
  }

  // Four pixels of the target, [4, 3].
  __device__ __forceinline__ void target(bool differences, int f, int k, float (&to)[12]) const {
    for (int n = 0; n < 4; ++n)
      for (int c = 0; c < kChannels; ++c)
        to[n * kChannels + c] =
            differences && f > 0 ? x[c][f][k][n] - x[c][0][k][n] : x[c][f][k][n];
  }

 private:
  template <typename F>
  __device__ __forceinline__ void change(int c, F&& function) {
    for (int f = 0; f < kFrames; ++f)
      for (int k = 0; k < kPacks; ++k)
        for (int n = 0; n < 4; ++n) x[c][f][k][n] = function(x[c][f][k][n]);
  }
  template <typename F>
  __device__ __forceinline__ float sum(int c, F&& function) const {
    float total = 0.0f;
    for (int f = 0; f < kFrames; ++f)
      for (int k = 0; k < kPacks; ++k)
        for (int n = 0; n < 4; ++n) total += function(x[c][f][k][n]);
    return total;
  }
};

template <typename G>
__global__ void __launch_bounds__(kCubeThreads)
    warp_cube_losses(Cubes a, const float* __restrict__ pred, int cubes, float share,
                     G* __restrict__ gradient, float* __restrict__ sums) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int cube = static_cast<int>(blockIdx.x * (kCubeThreads / kWarp) + threadIdx.x / kWarp);
  if (cube >= cubes) return;  // a whole warp
  const int token = token_of(a, cube, lane == 0);
  WarpCube values;
  values.read(a, corner_of(a, cube / a.per_clip, token < 0 ? 0 : token), lane);
  if (a.normalise) values.normalise();
  float sum = 0.0f;
  for (int f = 0; f < kFrames; ++f)
    for (int k = 0; k < kPacks; ++k) {
      float target[12];
      values.target(a.differences, f, k, target);
      const int64_t at =
          ((int64_t{cube} * kFrames + f) * kSide * kSide + 4 * (lane + k * kWarp)) * kChannels;
      for (int part = 0; part < 12; part += 4) {
        float error[4];
        load<4>(pred + at + part, error);
        for (int n = 0; n < 4; ++n) {
          error[n] -= target[part + n];
          sum += error[n] * error[n];
          error[n] *= share;
        }
        store<4>(gradient + at + part, error);
      }
    }
  sum = warp_sum(sum);
  if (lane == 0) sums[cube] = sum;
}

// ---- On the host -------------------------------------------------------------------------------
// `video`: which input is the video; the index follows.
Cubes cubes_of(const Node& node, const Operands& operands, int video, const Context& context) {
  const ops::Cubes cubes = ops::cubes_of(node, video);
  const Shape& shape = node.in(video).shape;
  const auto input = static_cast<size_t>(video);
  Cubes a{.video = address<float>(operands.in[input]),
          .index = nullptr,
          .per_clip = static_cast<int>(node.out().shape[1]),
          .tokens = static_cast<int>(cubes.tokens()),
          .time = shape[2],
          .height = shape[3],
          .width = shape[4],
          .columns = static_cast<int>(cubes.columns),
          .rows = static_cast<int>(cubes.rows),
          .tubelet = static_cast<int>(cubes.frames),
          .patch = static_cast<int>(cubes.patch),
          .normalise = node.flag("normalise"),
          .differences = node.integer("group") > 1,
          .mean = {},
          .deviation = {},
          .fault_flag = nullptr,
          .fault = 0};
  for (int c = 0; c < kChannels; ++c) {
    a.mean[c] = kPixelMean<float>[static_cast<size_t>(c)];
    a.deviation[c] = kPixelStd<float>[static_cast<size_t>(c)];
  }
  if (operands.in.size() > input + 1) {
    a.index = address<int32_t>(operands.in[input + 1]);
    a.fault =
        context.faults->add(cat(node.describe(), ": an index is outside 0..", cubes.tokens() - 1));
  }
  return a;
}

Geometry geometry_of(const Node& node, const Cubes& a) {
  const int64_t shared = kChannels * a.pixels() * size_of(DType::f32);
  return {.grid = {blocks_for_all(node.out().shape[0] * a.per_clip, 1)},
          .block = {kCubeThreads},
          .shared_bytes = static_cast<unsigned>(shared)};
}

std::string name_of_cubes(const Node& node, const Cubes& a, const Geometry& geometry) {
  return cat(node.op_name(), " ", name_of(node.out().dtype), ", cubes ", a.tubelet, "x", a.patch,
             "x", a.patch, a.normalise ? ", normalised" : "", a.differences ? ", differences" : "",
             ", ", to_string(geometry));
}

GpuKernel target(const Node& node, const Operands& operands, const Context& context) {
  const Cubes cubes = cubes_of(node, operands, 0, context);
  const Geometry geometry = geometry_of(node, cubes);
  return {.name = name_of_cubes(node, cubes, geometry),
          .run = [=, faults = context.faults,
                  y = address<float>(operands.out[0])](cudaStream_t stream) {
            Cubes a = cubes;
            a.fault_flag = faults->flag();
            launch(cube_targets, geometry, stream, a, y);
          }};
}

// Into the gradient and the sums of the cubes, however it is split.
template <typename G>
GpuKernel loss(const Node& node, const Operands& operands, const Context& context) {
  const Cubes cubes = cubes_of(node, operands, 1, context);
  const bool in_registers = cubes.tubelet == kFrames && cubes.patch == kSide;
  const int64_t count = node.in(0).shape[0] * cubes.per_clip;
  Geometry geometry = geometry_of(node, cubes);
  if (in_registers)
    geometry = {.grid = {blocks_for_all(count, kCubeThreads / kWarp)}, .block = {kCubeThreads}};
  const auto elements = static_cast<double>(node.in(0).numel());
  context.workspace->reserve(count * size_of(DType::f32));
  return {.name = name_of_cubes(node, cubes, geometry),
          .run = [=, workspace = context.workspace, faults = context.faults,
                  pred = address<float>(operands.in[0]), gradient = address<G>(operands.out[0]),
                  result = address<float>(operands.out[1])](cudaStream_t stream) {
            Cubes a = cubes;
            a.fault_flag = faults->flag();
            auto* sums = workspace->template as<float>();
            const auto share = static_cast<float>(2.0 / elements);
            if (in_registers)
              launch(warp_cube_losses<G>, geometry, stream, a, pred, count, share, gradient, sums);
            else
              launch(cube_losses<G>, geometry, stream, a, pred, share, gradient, sums);
            launch(scaled_sum<float>, {.block = {1024}}, stream, sums, count,
                   static_cast<float>(1.0 / elements), result);
          }};
}

}  // namespace

bool serves_reconstruction(const Node& node) {
  const int video = node.is(op_reconstruction_loss) ? 1 : 0;
  const int64_t group = node.integer("group");
  const int64_t tubelet = node.integer("tubelet");
  const int64_t patch = node.integer("patch");
  const int64_t shared = kChannels * tubelet * patch * patch * size_of(DType::f32);
  return node.in(video).dtype == DType::f32 && is_gpu_float(node.out().dtype) &&
         shared <= kMostShared && (group <= 1 || group == tubelet);
}

GpuKernel make_reconstruction(const Node& node, const Operands& operands, const Context& context) {
  if (node.out().numel() == 0) return nothing();
  if (node.is(op_reconstruction_target)) return target(node, operands, context);
  return with_float(node.out().dtype,
                    [&](auto zero) { return loss<decltype(zero)>(node, operands, context); });
}

}  // namespace grimace::cuda
