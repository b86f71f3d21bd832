// The gradients of attention's operands for any float type and any sizes up to a head width of 256,
// in FMAs of f32: p = softmax(scale q k^T), d = rowsum(p dy v^T), ds = p (dy v^T - d),
//   dq = scale ds k, dk = scale ds^T q, dv = p^T dy.
// First, blocks that own queries pass twice over the keys: for the statistics of their rows (kept
// for what follows, two floats a row) and for dq. Then blocks that own keys pass over the queries.
#include "backends/cuda/kernels/attention_fma.h"

namespace grimace::cuda {
namespace {

using namespace attention_fma;

// What the gradient keeps of a row of weights: the logarithm of the sum of e^score, and d.
struct RowStatistics {
  float log_sum, d;
};

// The first of dq's two passes over the keys.
template <int RQ, int RK>
struct RunningStatistics {
  float top[RQ], sum[RQ], dot[RQ];

  __device__ RunningStatistics() {
#pragma unroll
    for (int i = 0; i < RQ; ++i) top[i] = -INFINITY, sum[i] = dot[i] = 0.0f;
  }
  // `real`: how many of this thread's keys exist.
  __device__ void add(const float (&s)[RQ][RK], const float (&dw)[RQ][RK], float scale, int real) {
#pragma unroll
    for (int i = 0; i < RQ; ++i) {
      float largest = top[i];
#pragma unroll
      for (int j = 0; j < RK; ++j)
        if (j < real) largest = fmaxf(largest, s[i][j] * scale);
      largest = warp_max(largest, kSide);
      const float fade = expf(top[i] - largest);
      top[i] = largest;
      float part = 0.0f;
      float dot_part = 0.0f;
#pragma unroll
      for (int j = 0; j < RK; ++j) {
        const float weight = j < real ? expf(s[i][j] * scale - largest) : 0.0f;
        part += weight;
        dot_part += weight * dw[i][j];
      }
      sum[i] = sum[i] * fade + warp_sum(part, kSide);
      dot[i] = dot[i] * fade + warp_sum(dot_part, kSide);
    }
  }
  __device__ RowStatistics row(int i) const {
    return {top[i] + logf(sum[i]), dot[i] / sum[i]};
  }
};

// Of `rows` rows, those x, x + 16, ... of a tile that begins at `first`.
__device__ __forceinline__ int rows_of_side(int first, int x, int rows) {
  const int left = rows - first - x;
  return left <= 0 ? 0 : (left + kSide - 1) / kSide;
}

template <typename T, int RQ, int RK, int C>
__global__ void __launch_bounds__(kSide* kSide)
    attention_dq(AttentionArguments<T> a, int tiles, RowStatistics* statistics) {
  using S = Tile<RQ, RK>;
  const Place at;
  const int64_t item = blockIdx.x / tiles;
  const int first = static_cast<int>(blockIdx.x) % tiles * S::kQueries;
  const int pitch = pitch_of(a.width);
  auto* q = dynamic_shared<float>();
  float* dy = q + S::kQueries * pitch;
  float* k = dy + S::kQueries * pitch;
  float* v = k + S::kKeys * pitch;
  float* ds = v + S::kKeys * pitch;
  load_tile(q, head_of(a.q, a, item), a.q.row, first, a.queries, S::kQueries, a.width);
  load_tile(dy, head_of(a.dy, a, item), a.dy.row, first, a.queries, S::kQueries, a.width);

  float s[RQ][RK];
  float dw[RQ][RK];
  const auto scores = [&](int key) {
    __syncthreads();
    load_tile(k, head_of(a.k, a, item), a.k.row, key, a.keys, S::kKeys, a.width);
    load_tile(v, head_of(a.v, a, item), a.v.row, key, a.keys, S::kKeys, a.width);
    __syncthreads();
    dot_rows(q, k, a.width, at, s);
    dot_rows(dy, v, a.width, at, dw);
  };
  RunningStatistics<RQ, RK> running;
  for (int key = 0; key < a.keys; key += S::kKeys) {
    scores(key);
    running.add(s, dw, a.scale, rows_of_side(key, at.x, a.keys));
  }
  RowSums<RQ, C> dq;
  for (int key = 0; key < a.keys; key += S::kKeys) {
    if (a.keys > S::kKeys) scores(key);  // of a single tile they are still here
    const int real = rows_of_side(key, at.x, a.keys);
#pragma unroll
    for (int i = 0; i < RQ; ++i) {
      const RowStatistics row = running.row(i);
#pragma unroll
      for (int j = 0; j < RK; ++j)
        ds[(at.y * RQ + i) * S::kPitch + at.x + kSide * j] =
            j < real ? expf(s[i][j] * a.scale - row.log_sum) * (dw[i][j] - row.d) : 0.0f;
    }
    __syncwarp();
    dq.add(ds + at.y * RQ * S::kPitch, S::kPitch, k, S::kKeys, a.width, at);
  }
#pragma unroll
  for (int i = 0; i < RQ; ++i) {
    dq.scale(i, a.scale);
    const int query = first + at.y * RQ + i;
    if (at.x == 0 && query < a.queries) statistics[item * a.queries + query] = running.row(i);
  }
  dq.store(head_of(a.dq, a, item), a.dq.row, first + at.y * RQ, a.queries, a.width, at);
}

template <typename T, int RQ, int RK, int C>
__global__ void __launch_bounds__(kSide* kSide)
    attention_dk_dv(AttentionArguments<T> a, int tiles, const RowStatistics* statistics) {
  using S = Tile<RQ, RK>;
  const Place at;
  const int64_t item = blockIdx.x / tiles;
  const int first = static_cast<int>(blockIdx.x) % tiles * S::kKeys;
  const int pitch = pitch_of(a.width);
  auto* q = dynamic_shared<float>();
  float* dy = q + S::kQueries * pitch;
  float* k = dy + S::kQueries * pitch;
  float* v = k + S::kKeys * pitch;
  float* w = v + S::kKeys * pitch;
  float* ds = w + S::kWeights;
  load_tile(k, head_of(a.k, a, item), a.k.row, first, a.keys, S::kKeys, a.width);
  load_tile(v, head_of(a.v, a, item), a.v.row, first, a.keys, S::kKeys, a.width);

  RowSums<RK, C> dk;
  RowSums<RK, C> dv;
  for (int query = 0; query < a.queries; query += S::kQueries) {
    __syncthreads();
    load_tile(q, head_of(a.q, a, item), a.q.row, query, a.queries, S::kQueries, a.width);
    load_tile(dy, head_of(a.dy, a, item), a.dy.row, query, a.queries, S::kQueries, a.width);
    __syncthreads();
    float s[RQ][RK];
    float dw[RQ][RK];
    dot_rows(q, k, a.width, at, s);
    dot_rows(dy, v, a.width, at, dw);
#pragma unroll
    for (int i = 0; i < RQ; ++i) {
      const int row = at.y * RQ + i;
      const bool real = query + row < a.queries;
      const RowStatistics of_row =
          real ? statistics[item * a.queries + query + row] : RowStatistics{0.0f, 0.0f};
#pragma unroll
      for (int j = 0; j < RK; ++j) {
        const float weight = real ? expf(s[i][j] * a.scale - of_row.log_sum) : 0.0f;
        const int to = row * S::kPitch + at.x + kSide * j;
        w[to] = weight;
        ds[to] = weight * (dw[i][j] - of_row.d);
      }
    }
    __syncthreads();
    dv.add_transposed(w + at.y * RK, S::kPitch, dy, S::kQueries, a.width, at);
    dk.add_transposed(ds + at.y * RK, S::kPitch, q, S::kQueries, a.width, at);
  }
#pragma unroll
  for (int i = 0; i < RK; ++i) dk.scale(i, a.scale);
  dk.store(head_of(a.dk, a, item), a.dk.row, first + at.y * RK, a.keys, a.width, at);
  dv.store(head_of(a.dv, a, item), a.dv.row, first + at.y * RK, a.keys, a.width, at);
}

template <typename T, int RQ, int RK, int C>
GpuKernel backward(const AttentionArguments<T>& a, const Context& context) {
  using S = Tile<RQ, RK>;
  const int operands = 2 * (S::kQueries + S::kKeys) * pitch_of(a.width);
  const Geometry queries = geometry(a.count, a.queries, S::kQueries, operands + S::kWeights);
  const Geometry keys = geometry(a.count, a.keys, S::kKeys, operands + 2 * S::kWeights);
  context.workspace->reserve(a.count * a.queries * static_cast<int64_t>(sizeof(RowStatistics)));
  return {.name = cat("attention_grad<", S::kQueries, "x", S::kKeys, "> ", type_name<T>(), ", dq ",
                      to_string(queries), "; dk dv ", to_string(keys)),
          .run = [=, workspace = context.workspace](cudaStream_t stream) {
            auto* statistics = workspace->template as<RowStatistics>();
            if (a.queries > 0)
              launch(attention_dq<T, RQ, RK, C>, queries, stream, a,
                     tiles_of(a.queries, S::kQueries), statistics);
            if (a.keys > 0)
              launch(attention_dk_dv<T, RQ, RK, C>, keys, stream, a, tiles_of(a.keys, S::kKeys),
                     statistics);
          }};
}

}  // namespace

GpuKernel make_general_attention_grad(const Node& node, const Operands& operands,
                                      const Context& context) {
  return with_float(node.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto a = attention_arguments<T>(node, operands);
    return with_tile(a,
                     [&]<int RQ, int RK, int C>() { return backward<T, RQ, RK, C>(a, context); });
  });
}

}  // namespace grimace::cuda
