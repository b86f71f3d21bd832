// y = softmax(scale q k^T) v of bf16 on tensor cores, without an attention matrix in memory: a
// group of G warps owns 16 M G queries of one head, and passes over its keys in tiles of BK, the
// next of which is copied to shared memory while this one is multiplied. Scores, weights and sums
// stay in registers, in f32; weights are rounded to bf16 for their product with v. A block has
// `groups` groups, for heads so small that a warp each is enough.
#include "backends/cuda/kernels/attention_tiles.h"

namespace grimace::cuda {
namespace {

using namespace attention_mma;

template <int W, int M, int BK, int G, int groups, bool one_tile>
struct Forward {
  static constexpr int kRows = 16 * M;  // of a warp
  static constexpr int kQueries = kRows * G;
  static constexpr int kThreads = kWarp * G;  // of a group
  static constexpr int kBuffers = one_tile ? 1 : 2;
  static constexpr int kElements =  // of a group
      Tile<W>::elements(kQueries) + 2 * kBuffers * Tile<W>::elements(BK);
};

// Rows g and g + 8 by a factor each.
template <int N>
__device__ __forceinline__ void multiply(Sums<N>& sums, const float (&by)[2]) {
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) sums[n][e] *= by[e / 2];
}

template <int W, int M, int BK, int G, int groups, bool one_tile>
__global__ void __launch_bounds__(kWarp* G* groups, 2)
    attention_mma_forward(Arguments a, int query_tiles) {
  using F = Forward<W, M, BK, G, groups, one_tile>;
  const Lane lane;
  const int group = lane.warp / G;
  const int thread = static_cast<int>(threadIdx.x) % F::kThreads;
  const int64_t wanted = int64_t{blockIdx.x} / query_tiles * groups + group;
  const int64_t item = wanted < a.count ? wanted : a.count - 1;
  const int queries = wanted < a.count ? a.queries : 0;  // a group too many has none
  const int first = static_cast<int>(blockIdx.x) % query_tiles * F::kQueries;
  const int row = lane.warp % G * F::kRows;
  const Scale scale(a.scale);

  const Tile<W> q{dynamic_shared<Bf16>() + group * F::kElements};
  const Bf16* head_k = head_of(a.k, a, item);
  const Bf16* head_v = head_of(a.v, a, item);
  const auto k_tile = [&](int tile) { return Tile<W>{q.at(F::kQueries + tile % 2 * 2 * BK, 0)}; };
  const auto fill = [&](int tile) {
    const Tile<W> k = k_tile(tile);
    k.fill(head_k, a.k.row, tile * BK, a.keys, BK, thread, F::kThreads);
    Tile<W>{k.at(BK, 0)}.fill(head_v, a.v.row, tile * BK, a.keys, BK, thread, F::kThreads);
  };
  q.fill(head_of(a.q, a, item), a.q.row, first, queries, F::kQueries, thread, F::kThreads);
  fill(0);
  copies_commit();

  Sums<W / 8> y[M];
  RunningRows rows[M];
#pragma unroll
  for (int m = 0; m < M; ++m) clear<W / 8>(y[m]);
  const int key_tiles = one_tile ? 1 : (a.keys + BK - 1) / BK;
  for (int tile = 0; tile < key_tiles; ++tile) {
    copies_wait<0>();
    __syncthreads();
    if (tile + 1 < key_tiles) fill(tile + 1);
    copies_commit();
    if (first + row >= queries) continue;
    const Tile<W> k = k_tile(tile);
    Sums<BK / 8> scores[M];
    dot_tiles<W, M, BK / 8>(scores, q, row, scale.flip, k);
#pragma unroll
    for (int m = 0; m < M; ++m) {
      mask<BK / 8>(scores[m], a.keys - tile * BK, lane);
      float fade[2];
      rows[m].add(scores[m], scale.exponent, fade);
      if constexpr (!one_tile) multiply<W / 8>(y[m], fade);
    }
    const Tile<W> v{k.at(BK, 0)};
#pragma unroll
    for (int step = 0; step < BK / 16; ++step) {
      uint32_t weights[M][4];
#pragma unroll
      for (int m = 0; m < M; ++m) as_a<BK / 8>(weights[m], scores[m], step);
#pragma unroll
      for (int n = 0; n < W / 8; n += 2) {
        uint32_t of_v[4];
        v.b(of_v, 16 * step, 8 * n);
#pragma unroll
        for (int m = 0; m < M; ++m) mma_pair(y[m][n], y[m][n + 1], weights[m], of_v);
      }
    }
  }
  if (first + row >= queries) return;
#pragma unroll
  for (int m = 0; m < M; ++m) {
    q.put(row + 16 * m, y[m], 1.0f / quad_sum(rows[m].sum[0]), 1.0f / quad_sum(rows[m].sum[1]),
          lane);
    q.store(row + 16 * m, head_of(a.y, a, item), a.y.row, first + row + 16 * m, queries, lane);
  }
}

template <int W, int M, int BK, int G, int groups, bool one_tile>
GpuKernel forward(const Arguments& a) {
  using F = Forward<W, M, BK, G, groups, one_tile>;
  const int query_tiles = (a.queries + F::kQueries - 1) / F::kQueries;
  Geometry g;
  g.grid.x = grid_of((a.count + groups - 1) / groups * query_tiles);
  g.block.x = F::kThreads * groups;
  g.shared_bytes = groups * F::kElements * static_cast<unsigned>(sizeof(Bf16));
  return {.name = cat("attention_mma<", W, ",", F::kQueries, "x", BK, "> bf16, ", to_string(g)),
          .run = [=](cudaStream_t stream) {
            launch(attention_mma_forward<W, M, BK, G, groups, one_tile>, g, stream, a, query_tiles);
          }};
}

// Tiles that waste little of the models' shapes: regions of 11, 41 and 101 tokens, 8 keys for many
// queries, and long rows, where 32 queries a warp read k and v half as often.
template <int W>
GpuKernel forward(const Arguments& a) {
  if (a.keys <= 16 && a.queries <= 16) return forward<W, 1, 16, 1, 4, true>(a);
  if (a.keys <= 16) return forward<W, 1, 16, 4, 1, true>(a);
  if (a.keys <= 48 && a.queries <= 48) return forward<W, 1, 48, 3, 1, true>(a);
  if (a.keys <= 112 && a.queries <= 112) return forward<W, 1, 112, 7, 1, true>(a);
  if (a.queries <= 128) return forward<W, 1, 64, 4, 1, false>(a);
  return forward<W, 2, 64, 4, 1, false>(a);
}

}  // namespace

bool has_mma_attention(DType dtype, const ops::AttentionShape& s) {
  return dtype == DType::bf16 && (s.width == 32 || s.width == 64) && !s.empty();
}

GpuKernel make_mma_attention(const Node& node, const Operands& operands, const Context&) {
  const auto a = attention_arguments<Bf16>(node, operands);
  return a.width == 32 ? forward<32>(a) : forward<64>(a);
}

}  // namespace grimace::cuda
