// The gradients of attention's operands of bf16 on tensor cores, for rows of any length:
//   p = softmax(scale q k^T), d = rowsum(p dy v^T), ds = p (dy v^T - d),
//   dq = scale ds k, dk = scale ds^T q, dv = p^T dy.
// First, blocks that own 64 queries pass twice over the keys: for the statistics of their rows,
// kept in the workspace, and for dq. Then blocks that own 64 keys pass over the queries, a warp
// with the transposed scores of 16 keys, so that p and ds need not be transposed. The next tile is
// copied to shared memory while one is multiplied; scores and sums are f32 in registers, p and ds
// are rounded to bf16 for the products with k, q and dy.
#include "backends/cuda/kernels/attention_tiles.h"

namespace grimace::cuda {
namespace {

using namespace attention_mma;

constexpr int kWarps = 4;
constexpr int kOwned = 16 * kWarps;  // rows of a block
constexpr int kThreads = kWarp * kWarps;
constexpr int kKeys = 64;     // of a tile that dq passes over
constexpr int kQueries = 32;  // of a tile that dk and dv pass over

// Of a row of weights, 2^(exponent score - log_sum). Rows of the workspace are whole tiles; what is
// there for rows past the last query is finite or makes weights 0, and q and dy are 0 there.
struct RowStatistics {
  float log_sum, d;
};
__host__ __device__ __forceinline__ int padded(int rows) {
  return (rows + kOwned - 1) / kOwned * kOwned;
}

// RunningRows with the sums of weight times dw beside those of weights.
struct RunningDots {
  RunningRows rows;
  float dot[2] = {0.0f, 0.0f};

  __device__ RunningDots() {}
  template <int N>
  __device__ __forceinline__ void add(Sums<N>& scores, const Sums<N>& dw, float exponent) {
    float fade[2];
    rows.add<N>(scores, exponent, fade);
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float part = 0.0f;
#pragma unroll
      for (int n = 0; n < N; ++n)
#pragma unroll
        for (int e = 2 * row; e < 2 * row + 2; ++e) part += scores[n][e] * dw[n][e];
      dot[row] = dot[row] * fade[row] + part;
    }
  }
  __device__ __forceinline__ RowStatistics row(int i, float exponent) const {
    const float sum = quad_sum(rows.sum[i]);
    return {rows.top[i] * exponent + log2f(sum), quad_sum(dot[i]) / sum};
  }
};

// A tile of keys or of queries, with what belongs to them beside it: k and v, or q and dy.
template <int W>
struct TilePair {
  Tile<W> first, second;
  __device__ TilePair(Bf16* data, int rows) : first{data}, second{data + Tile<W>::elements(rows)} {}
};

template <int W>
__global__ void __launch_bounds__(kThreads, 2)
    attention_mma_dq(Arguments a, int query_tiles, RowStatistics* statistics) {
  const Lane lane;
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t item = blockIdx.x / query_tiles;
  const int first = static_cast<int>(blockIdx.x) % query_tiles * kOwned;
  const int row = 16 * lane.warp;
  const bool idle = first + row >= a.queries;
  const Scale scale(a.scale);
  const Bf16* head_k = head_of(a.k, a, item);
  const Bf16* head_v = head_of(a.v, a, item);

  const TilePair<W> own(dynamic_shared<Bf16>(), kOwned);
  const auto buffer = [&](int step) {
    return TilePair<W>(own.second.at(kOwned, 0) + step % 2 * Tile<W>::elements(2 * kKeys), kKeys);
  };
  const int key_tiles = (a.keys + kKeys - 1) / kKeys;
  const auto fill = [&](int step) {
    const int key = step % key_tiles * kKeys;
    const TilePair<W> to = buffer(step);
    to.first.fill(head_k, a.k.row, key, a.keys, kKeys, thread, kThreads);
    to.second.fill(head_v, a.v.row, key, a.keys, kKeys, thread, kThreads);
  };
  own.first.fill(head_of(a.q, a, item), a.q.row, first, a.queries, kOwned, thread, kThreads);
  own.second.fill(head_of(a.dy, a, item), a.dy.row, first, a.queries, kOwned, thread, kThreads);
  fill(0);
  copies_commit();

  Rows<W> of_q, of_dy;
  RunningDots running;
  RowStatistics of_row[2] = {{INFINITY, 0.0f}, {INFINITY, 0.0f}};
  Sums<W / 8> dq;
  clear<W / 8>(dq);
  for (int step = 0; step < 2 * key_tiles; ++step) {
    copies_wait<0>();
    __syncthreads();
    if (step + 1 < 2 * key_tiles) fill(step + 1);
    copies_commit();
    if (idle) continue;
    if (step == 0) {
      load_rows<W>(of_q, own.first, row, scale.flip);
      load_rows<W>(of_dy, own.second, row);
    }
    if (step == key_tiles)
#pragma unroll
      for (int i = 0; i < 2; ++i) of_row[i] = running.row(i, scale.exponent);
    const TilePair<W> kv = buffer(step);
    Sums<kKeys / 8> scores, dw;
    dot_rows<W, kKeys / 8>(scores, of_q, kv.first);
    dot_rows<W, kKeys / 8>(dw, of_dy, kv.second);
    mask<kKeys / 8>(scores, a.keys - step % key_tiles * kKeys, lane);
    if (step < key_tiles) {
      running.add<kKeys / 8>(scores, dw, scale.exponent);
      continue;
    }
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e)
        dw[n][e] = power_of_two(scores[n][e] * scale.exponent - of_row[e / 2].log_sum) *
                   (dw[n][e] - of_row[e / 2].d);
    add_weighted<W, kKeys / 8>(dq, dw, kv.first);
  }
  if (lane.t() == 0)
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int query = first + row + lane.g() + 8 * i;
      statistics[item * padded(a.queries) + query] = of_row[i];
    }
  if (idle) return;
  own.first.put(row, dq, a.scale, a.scale, lane);
  own.first.store(row, head_of(a.dq, a, item), a.dq.row, first + row, a.queries, lane);
}

// Statistics of a tile of queries, in 16-byte pieces. The warp is whole again after it: matrix
// loads and products take all lanes at once.
__device__ __forceinline__ void fill_statistics(RowStatistics* to, const RowStatistics* from,
                                                int thread) {
  constexpr int kPieces = kQueries * static_cast<int>(sizeof(RowStatistics)) / 16;
  if (thread < kPieces) copy_16(to + 2 * thread, from + 2 * thread);
  __syncwarp();
}

// Transposed scores and dw, a column per query, become weights and ds.
template <int N>
__device__ __forceinline__ void weigh(Sums<N>& scores, Sums<N>& dw, const RowStatistics* of_query,
                                      float exponent, const Lane& lane) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const float4 both =
        *reinterpret_cast<const float4*>(of_query + 8 * n + 2 * lane.t());  // of two queries
    const float log_sum[] = {both.x, both.z};
    const float d[] = {both.y, both.w};
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      scores[n][e] = power_of_two(scores[n][e] * exponent - log_sum[e % 2]);
      dw[n][e] = scores[n][e] * (dw[n][e] - d[e % 2]);
    }
  }
}

template <int W>
struct KeySide {
  static constexpr int kBuffer = Tile<W>::elements(2 * kQueries);
  static constexpr int kElements = Tile<W>::elements(2 * kOwned) + 2 * kBuffer;
  static constexpr int kBytes = kElements * static_cast<int>(sizeof(Bf16)) +
                                2 * kQueries * static_cast<int>(sizeof(RowStatistics));
};

template <int W>
__global__ void __launch_bounds__(kThreads, 2)
    attention_mma_dk_dv(Arguments a, int key_tiles, const RowStatistics* statistics) {
  const Lane lane;
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t item = blockIdx.x / key_tiles;
  const int first = static_cast<int>(blockIdx.x) % key_tiles * kOwned;
  const int row = 16 * lane.warp;
  const bool idle = first + row >= a.keys;
  const Scale scale(a.scale);
  const Bf16* head_q = head_of(a.q, a, item);
  const Bf16* head_dy = head_of(a.dy, a, item);
  statistics += item * padded(a.queries);

  const TilePair<W> own(dynamic_shared<Bf16>(), kOwned);
  const auto buffer = [&](int tile) {
    return TilePair<W>(own.second.at(kOwned, 0) + tile % 2 * KeySide<W>::kBuffer, kQueries);
  };
  const auto statistics_of = [&](int tile) {
    return reinterpret_cast<RowStatistics*>(own.first.data + KeySide<W>::kElements) +
           tile % 2 * kQueries;
  };
  const auto fill = [&](int tile) {
    const int query = tile * kQueries;
    const TilePair<W> to = buffer(tile);
    to.first.fill(head_q, a.q.row, query, a.queries, kQueries, thread, kThreads);
    to.second.fill(head_dy, a.dy.row, query, a.queries, kQueries, thread, kThreads);
    fill_statistics(statistics_of(tile), statistics + query, thread);
  };
  own.first.fill(head_of(a.k, a, item), a.k.row, first, a.keys, kOwned, thread, kThreads);
  own.second.fill(head_of(a.v, a, item), a.v.row, first, a.keys, kOwned, thread, kThreads);
  fill(0);
  copies_commit();

  Rows<W> of_k, of_v;
  Sums<W / 8> dk, dv;
  clear<W / 8>(dk);
  clear<W / 8>(dv);
  const int query_tiles = (a.queries + kQueries - 1) / kQueries;
  for (int tile = 0; tile < query_tiles; ++tile) {
    copies_wait<0>();
    __syncthreads();
    if (tile + 1 < query_tiles) fill(tile + 1);
    copies_commit();
    if (idle) continue;
    if (tile == 0) {
      load_rows<W>(of_k, own.first, row, scale.flip);
      load_rows<W>(of_v, own.second, row);
    }
    const TilePair<W> queries = buffer(tile);
    Sums<kQueries / 8> scores, dw;
    dot_rows<W, kQueries / 8>(scores, of_k, queries.first);
    dot_rows<W, kQueries / 8>(dw, of_v, queries.second);
    weigh<kQueries / 8>(scores, dw, statistics_of(tile), scale.exponent, lane);
    add_weighted<W, kQueries / 8>(dv, scores, queries.second);
    add_weighted<W, kQueries / 8>(dk, dw, queries.first);
  }
  if (idle) return;
  own.first.put(row, dk, a.scale, a.scale, lane);
  own.first.store(row, head_of(a.dk, a, item), a.dk.row, first + row, a.keys, lane);
  own.second.put(row, dv, 1.0f, 1.0f, lane);
  own.second.store(row, head_of(a.dv, a, item), a.dv.row, first + row, a.keys, lane);
}

template <int W>
GpuKernel backward(const Arguments& a, const Context& context) {
  const int query_tiles = padded(a.queries) / kOwned;
  const int key_tiles = padded(a.keys) / kOwned;
  Geometry queries;
  queries.grid.x = grid_of(a.count * query_tiles);
  queries.block.x = kThreads;
  queries.shared_bytes =
      static_cast<unsigned>(Tile<W>::elements(2 * kOwned + 4 * kKeys)) * sizeof(Bf16);
  Geometry keys = queries;
  keys.grid.x = grid_of(a.count * key_tiles);
  keys.shared_bytes = KeySide<W>::kBytes;
  context.workspace->reserve(a.count * padded(a.queries) *
                             static_cast<int64_t>(sizeof(RowStatistics)));
  return {.name = cat("attention_mma_grad<", W, "> bf16, dq ", to_string(queries), "; dk dv ",
                      to_string(keys)),
          .run = [=, workspace = context.workspace](cudaStream_t stream) {
            auto* statistics = workspace->template as<RowStatistics>();
            launch(attention_mma_dq<W>, queries, stream, a, query_tiles, statistics);
            launch(attention_mma_dk_dv<W>, keys, stream, a, key_tiles, statistics);
          }};
}

}  // namespace

GpuKernel make_mma_attention_grad(const Node& node, const Operands& operands,
                                  const Context& context) {
  const ops::AttentionShape s = ops::attention_shape(node, node.num_inputs() - 1);
  const auto a = attention_arguments<Bf16>(node, operands);
  if (fits_few_keys(s)) return make_few_keys_grad(a);
  if (fits_one_block(s)) return make_one_block_grad(a);
  return a.width == 32 ? backward<32>(a, context) : backward<64>(a, context);
}

}  // namespace grimace::cuda
