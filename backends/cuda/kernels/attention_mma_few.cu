// The gradients of attention's operands of bf16 for heads of at most 16 keys and any number of
// queries (formulas: attention_mma_grad.cu), in one pass: a warp takes 16 queries at a time, sees
// all their weights at once, writes their dq and adds to its own sums for dk and dv. One warp does
// a head of at most 16 queries; longer heads are shared by four, whose sums are added in order.
// Weights and ds go through shared memory, as dk and dv need them transposed.
#include "backends/cuda/kernels/attention_tiles.h"

namespace grimace::cuda {
namespace {

using namespace attention_mma;

constexpr int kRows = 16;  // keys of a head, and queries of a step
constexpr int kWarps = 4;
constexpr int kThreads = kWarp * kWarps;

template <int W, int share>
struct FewKeys {
  static constexpr int kHeads = kWarps / share;  // of a block
  static constexpr int kBuffers = share == 1 ? 1 : 2;
  static constexpr int kTile = Tile<W>::elements(kRows);
  static constexpr int kOfHead = 2 * kTile;                                 // k, v
  static constexpr int kSums = kBuffers * 2 * kTile;                        // q, dy
  static constexpr int kOfWarp = kSums + 2 * Tile<kRows>::elements(kRows);  // and w, ds
  static constexpr int kElements = kHeads * kOfHead + kWarps * kOfWarp;
  static constexpr int kPitch = W + 8;  // of a warp's sums for dk and dv, in f32 over q and dy
  static_assert(share == 1 || 2 * kRows * kPitch * 4 <= kSums * 2);
};

// w and ds of 16 queries from scores and dw.
__device__ __forceinline__ void weigh(Sums<2>& scores, Sums<2>& dw, float exponent) {
  RunningRows rows;
  float fade[2];
  rows.add<2>(scores, exponent, fade);
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    const float norm = 1.0f / quad_sum(rows.sum[row]);
    float part = 0.0f;
#pragma unroll
    for (int n = 0; n < 2; ++n)
#pragma unroll
      for (int e = 2 * row; e < 2 * row + 2; ++e) {
        scores[n][e] *= norm;
        part += scores[n][e] * dw[n][e];
      }
    const float d = quad_sum(part);
#pragma unroll
    for (int n = 0; n < 2; ++n)
#pragma unroll
      for (int e = 2 * row; e < 2 * row + 2; ++e) dw[n][e] = scores[n][e] * (dw[n][e] - d);
  }
}

// What a warp adds up over its queries.
template <int W>
struct KeySums {
  Sums<W / 8> dk, dv;
  __device__ KeySums() {
    clear<W / 8>(dk);
    clear<W / 8>(dv);
  }
};

// One step: 16 queries from `first` on, whose q and dy are in shared memory; q's rows then hold dq.
template <int W>
__device__ __forceinline__ void step(const Arguments& a, int64_t item, int first, int queries,
                                     const Tile<W>& q, const Tile<W>& dy, const Tile<W>& k,
                                     const Tile<W>& v, Bf16* scratch, const Scale& scale,
                                     const Lane& lane, KeySums<W>& sums) {
  const Tile<kRows> w{scratch};
  const Tile<kRows> ds{scratch + Tile<kRows>::elements(kRows)};
  Sums<2> scores[1], dw[1];
  dot_tiles<W, 1, 2>(scores, q, 0, scale.flip, k);
  dot_tiles<W, 1, 2>(dw, dy, 0, 0, v);
  mask<2>(scores[0], a.keys, lane);
  weigh(scores[0], dw[0], scale.exponent);
  w.put(0, scores[0], 1.0f, 1.0f, lane);
  ds.put(0, dw[0], 1.0f, 1.0f, lane);
  __syncwarp();
  uint32_t transposed[4];
  w.a_transposed(transposed, 0, 0);
  add_step<W>(sums.dv, transposed, dy, 0);
  ds.a_transposed(transposed, 0, 0);
  add_step<W>(sums.dk, transposed, q, 0);
  Sums<W / 8> dq;
  clear<W / 8>(dq);
  add_weighted<W, 2>(dq, dw[0], k);
  __syncwarp();  // all lanes have read q
  q.put(0, dq, a.scale, a.scale, lane);
  q.store(0, head_of(a.dq, a, item), a.dq.row, first, queries, lane);
}

// Puts the sums of a warp at the place where add_shares reads them.
template <int W, int share>
__device__ __forceinline__ void put_share(float* to, const Sums<W / 8>& sums, const Lane& lane) {
#pragma unroll
  for (int n = 0; n < W / 8; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      *reinterpret_cast<float2*>(to + (lane.g() + 8 * half) * FewKeys<W, share>::kPitch + 8 * n +
                                 2 * lane.t()) =
          make_float2(sums[n][2 * half], sums[n][2 * half + 1]);
}
// The sums of all warps, of which `distance` elements lie between two, 8 columns a thread.
template <int W, int share>
__device__ __forceinline__ void add_shares(const Arguments& a, int64_t item, const Bf16* shares,
                                           int distance) {
  constexpr int kPieces = W / 8;
  constexpr int kPitch = FewKeys<W, share>::kPitch;
  for (int i = static_cast<int>(threadIdx.x); i < 2 * kRows * kPieces; i += kThreads) {
    const int row = i / kPieces;  // of dk, then of dv
    const int column = i % kPieces * 8;
    const int key = row % kRows;
    if (key >= a.keys) continue;
    float sum[8] = {};
    for (int warp = 0; warp < share; ++warp) {
      const auto* from =
          reinterpret_cast<const float*>(shares + warp * distance) + row * kPitch + column;
#pragma unroll
      for (int c = 0; c < 8; ++c) sum[c] += from[c];
    }
    const bool of_k = row < kRows;
    const float by = of_k ? a.scale : 1.0f;
    Bf16* to =
        of_k ? head_of(a.dk, a, item) + key * a.dk.row : head_of(a.dv, a, item) + key * a.dv.row;
    *reinterpret_cast<uint4*>(to + column) =
        make_uint4(pack_bf16(sum[0] * by, sum[1] * by), pack_bf16(sum[2] * by, sum[3] * by),
                   pack_bf16(sum[4] * by, sum[5] * by), pack_bf16(sum[6] * by, sum[7] * by));
  }
}

template <int W, int share>
__global__ void __launch_bounds__(kThreads, 3) attention_mma_few_keys_grad(Arguments a) {
  using F = FewKeys<W, share>;
  const Lane lane;
  const int64_t wanted = int64_t{blockIdx.x} * F::kHeads + lane.warp / share;
  const int64_t item = wanted < a.count ? wanted : a.count - 1;
  const bool real = wanted < a.count;
  const Scale scale(a.scale);
  auto* shared = dynamic_shared<Bf16>();
  const Tile<W> k{shared + lane.warp / share * F::kOfHead};
  const Tile<W> v{k.at(kRows, 0)};
  Bf16* of_warps = shared + F::kHeads * F::kOfHead;
  Bf16* of_warp = of_warps + lane.warp * F::kOfWarp;
  const auto buffer = [&](int index) {
    return Tile<W>{of_warp + index % F::kBuffers * 2 * F::kTile};
  };
  const Bf16* head_q = head_of(a.q, a, item);
  const Bf16* head_dy = head_of(a.dy, a, item);
  const auto fill = [&](int index, int first) {
    const Tile<W> q = buffer(index);
    q.fill(head_q, a.q.row, first, a.queries, kRows, lane.lane, kWarp);
    Tile<W>{q.at(kRows, 0)}.fill(head_dy, a.dy.row, first, a.queries, kRows, lane.lane, kWarp);
  };
  const int thread = static_cast<int>(threadIdx.x) % (share * kWarp);
  k.fill(head_of(a.k, a, item), a.k.row, 0, a.keys, kRows, thread, share * kWarp);
  v.fill(head_of(a.v, a, item), a.v.row, 0, a.keys, kRows, thread, share * kWarp);
  int first = lane.warp % share * kRows;
  if (first < a.queries) fill(0, first);
  copies_commit();
  copies_wait<0>();
  __syncthreads();  // k and v come from all warps of the head

  KeySums<W> sums;
  for (int index = 0; first < a.queries; ++index, first += share * kRows) {
    copies_wait<0>();
    __syncwarp();
    if (first + share * kRows < a.queries) fill(index + 1, first + share * kRows);
    copies_commit();
    const Tile<W> q = buffer(index);
    step<W>(a, item, first, real ? a.queries : 0, q, Tile<W>{q.at(kRows, 0)}, k, v,
            of_warp + F::kSums, scale, lane, sums);
  }
  if constexpr (share == 1) {
    if (!real) return;
    k.put(0, sums.dk, a.scale, a.scale, lane);
    k.store(0, head_of(a.dk, a, item), a.dk.row, 0, a.keys, lane);
    v.put(0, sums.dv, 1.0f, 1.0f, lane);
    v.store(0, head_of(a.dv, a, item), a.dv.row, 0, a.keys, lane);
  } else {
    auto* of_k = reinterpret_cast<float*>(of_warp);
    put_share<W, share>(of_k, sums.dk, lane);
    put_share<W, share>(of_k + kRows * F::kPitch, sums.dv, lane);
    __syncthreads();
    add_shares<W, share>(a, item, of_warps, F::kOfWarp);
  }
}

template <int W, int share>
GpuKernel backward(const Arguments& a) {
  using F = FewKeys<W, share>;
  Geometry g;
  g.grid.x = grid_of((a.count + F::kHeads - 1) / F::kHeads);
  g.block.x = kThreads;
  g.shared_bytes = F::kElements * static_cast<unsigned>(sizeof(Bf16));
  return {.name = cat("attention_mma_few_keys_grad<", W, ",", share, "> bf16, ", to_string(g)),
          .run = [=](cudaStream_t stream) {
            launch(attention_mma_few_keys_grad<W, share>, g, stream, a);
          }};
}

template <int W>
GpuKernel backward(const Arguments& a) {
  return a.queries <= kRows ? backward<W, 1>(a) : backward<W, kWarps>(a);
}

}  // namespace

bool fits_few_keys(const ops::AttentionShape& s) {
  return s.keys <= kRows;
}

GpuKernel make_few_keys_grad(const AttentionArguments<Bf16>& a) {
  return a.width == 32 ? backward<32>(a) : backward<64>(a);
}

}  // namespace grimace::cuda
