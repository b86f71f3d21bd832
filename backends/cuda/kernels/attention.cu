// y = softmax(scale q k^T) v for any float type and any sizes up to a head width of 256, in FMAs of
// f32. A block owns a tile of queries of one head and passes over the keys with a running largest
// score and sum per row (attention_fma.h).
#include "backends/cuda/kernels/attention_fma.h"

namespace grimace::cuda {
namespace {

using namespace attention_fma;

template <typename T, int RQ, int RK, int C>
__global__ void __launch_bounds__(kSide* kSide)
    attention_forward(AttentionArguments<T> a, int tiles) {
  using S = Tile<RQ, RK>;
  const Place at;
  const int64_t item = blockIdx.x / tiles;
  const int first = static_cast<int>(blockIdx.x) % tiles * S::kQueries;
  const int pitch = pitch_of(a.width);
  auto* q = dynamic_shared<float>();
  float* k = q + S::kQueries * pitch;
  float* v = k + S::kKeys * pitch;
  float* weights = v + S::kKeys * pitch;
  load_tile(q, head_of(a.q, a, item), a.q.row, first, a.queries, S::kQueries, a.width);

  RowSums<RQ, C> y;
  float top[RQ];
  float sum[RQ];
#pragma unroll
  for (int i = 0; i < RQ; ++i) top[i] = -INFINITY, sum[i] = 0.0f;
  for (int key = 0; key < a.keys; key += S::kKeys) {
    __syncthreads();
    load_tile(k, head_of(a.k, a, item), a.k.row, key, a.keys, S::kKeys, a.width);
    load_tile(v, head_of(a.v, a, item), a.v.row, key, a.keys, S::kKeys, a.width);
    __syncthreads();
    float s[RQ][RK];
    dot_rows(q, k, a.width, at, s);
#pragma unroll
    for (int i = 0; i < RQ; ++i) {
      float largest = top[i];
#pragma unroll
      for (int j = 0; j < RK; ++j) {
        s[i][j] *= a.scale;
        if (key + at.x + kSide * j < a.keys) largest = fmaxf(largest, s[i][j]);
      }
      largest = warp_max(largest, kSide);
      const float fade = expf(top[i] - largest);
      top[i] = largest;
      float part = 0.0f;
#pragma unroll
      for (int j = 0; j < RK; ++j) {
        const bool real = key + at.x + kSide * j < a.keys;
        const float weight = real ? expf(s[i][j] - largest) : 0.0f;
        part += weight;
        weights[(at.y * RQ + i) * S::kPitch + at.x + kSide * j] = weight;
      }
      sum[i] = sum[i] * fade + warp_sum(part, kSide);
      y.scale(i, fade);
    }
    __syncwarp();  // a row of weights is written and read by the same half warp
    y.add(weights + at.y * RQ * S::kPitch, S::kPitch, v, S::kKeys, a.width, at);
  }
#pragma unroll
  for (int i = 0; i < RQ; ++i) y.scale(i, a.keys == 0 ? 0.0f : 1.0f / sum[i]);
  y.store(head_of(a.y, a, item), a.y.row, first + at.y * RQ, a.queries, a.width, at);
}

template <typename T, int RQ, int RK, int C>
GpuKernel forward(const AttentionArguments<T>& a) {
  using S = Tile<RQ, RK>;
  const Geometry g = geometry(a.count, a.queries, S::kQueries,
                              (S::kQueries + 2 * S::kKeys) * pitch_of(a.width) + S::kWeights);
  return {.name = cat("attention<", S::kQueries, "x", S::kKeys, "> ", type_name<T>(), ", ",
                      to_string(g)),
          .run = [=](cudaStream_t stream) {
            launch(attention_forward<T, RQ, RK, C>, g, stream, a, tiles_of(a.queries, S::kQueries));
          }};
}

}  // namespace

GpuKernel make_general_attention(const Node& node, const Operands& operands, const Context&) {
  return with_float(node.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto a = attention_arguments<T>(node, operands);
    return with_tile(a, [&]<int RQ, int RK, int C>() { return forward<T, RQ, RK, C>(a); });
  });
}

}  // namespace grimace::cuda
