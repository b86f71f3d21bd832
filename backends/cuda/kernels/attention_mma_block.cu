// The gradients of attention's operands of bf16 for heads of at most 112 queries and keys
// (formulas: attention_mma_grad.cu), a block for each: all of the head is in shared memory, and
// scores are computed once. First a warp has 16 queries: their weights and ds, rounded to bf16, and
// dq. When all have read k and v, weights and ds take their place; then a warp has 16 keys, for dk
// and dv. d is a mean over the rounded weights, so that a constant in dy v^T cancels exactly.
#include "backends/cuda/kernels/attention_tiles.h"

namespace grimace::cuda {
namespace {

using namespace attention_mma;

// Tiles of T x 16 rows; w lies over k and v.
template <int W, int T>
struct OneBlock {
  static constexpr int kRows = 16 * T;
  static constexpr int kThreads = kWarp * T;
  static constexpr int kOperand = Tile<W>::elements(kRows);
  static constexpr int kWeights = Tile<kRows>::elements(kRows);
  static constexpr int kOverlaid = 2 * kOperand > kWeights ? 2 * kOperand : kWeights;
  static constexpr int kDs = kOperand > kWeights ? kOperand : kWeights;  // dq first, then ds
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
  static constexpr int kBlocks = 1;  // that the shared memory of a multiprocessor holds
#else
  static constexpr int kBlocks = 2;
#endif
  static constexpr int kBytes = (2 * kOperand + kOverlaid + kDs) * static_cast<int>(sizeof(Bf16));
};

// Weights of 16 queries and T x 16 keys in bf16, as the A of a product step by step.
template <int T>
using Weights = uint32_t[T][4];

// Pairs 0 and 2 are of row g, 1 and 3 of row g + 8.
template <int T>
__device__ __forceinline__ void softmax(Weights<T>& w, Sums<2 * T>& scores, float exponent) {
  RunningRows rows;
  float fade[2];
  rows.add<2 * T>(scores, exponent, fade);
  const float norm[] = {1.0f / quad_sum(rows.sum[0]), 1.0f / quad_sum(rows.sum[1])};
#pragma unroll
  for (int n = 0; n < 2 * T; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) scores[n][e] *= norm[e / 2];
#pragma unroll
  for (int step = 0; step < T; ++step) as_a<2 * T>(w[step], scores, step);
}

// ds, as w is.
template <int T>
__device__ __forceinline__ void softmax_back(Weights<T>& ds, Weights<T>& w, const Sums<2 * T>& dw) {
  float sum[2] = {};
  float dot[2] = {};
#pragma unroll
  for (int step = 0; step < T; ++step)
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
      const int row = pair % 2;
      const float2 weight = unpack_bf16(w[step][pair]);
      const float* back = dw[2 * step + pair / 2] + 2 * row;
      sum[row] += weight.x + weight.y;
      dot[row] += weight.x * back[0] + weight.y * back[1];
    }
  float d[2];
#pragma unroll
  for (int row = 0; row < 2; ++row) d[row] = quad_sum(dot[row]) / quad_sum(sum[row]);
#pragma unroll
  for (int step = 0; step < T; ++step)
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
      const int row = pair % 2;
      forget(w[step][pair]);
      const float2 weight = unpack_bf16(w[step][pair]);
      const float* back = dw[2 * step + pair / 2] + 2 * row;
      ds[step][pair] = pack_bf16(weight.x * (back[0] - d[row]), weight.y * (back[1] - d[row]));
    }
}

template <int T>
__device__ __forceinline__ void put_weights(const Tile<16 * T>& to, int row, const Weights<T>& w,
                                            const Lane& lane) {
#pragma unroll
  for (int step = 0; step < T; ++step)
#pragma unroll
    for (int pair = 0; pair < 4; ++pair)
      to.put_pair(row + lane.g() + pair % 2 * 8, 16 * step + pair / 2 * 8 + 2 * lane.t(),
                  w[step][pair]);
}

// w^T x for 16 keys from `key` on.
template <int W, int T>
__device__ __forceinline__ void transposed_product(Sums<W / 8>& sums, const Tile<16 * T>& w,
                                                   int key, const Tile<W>& x) {
  clear<W / 8>(sums);
#pragma unroll
  for (int step = 0; step < T; ++step) {
    uint32_t a[4];
    w.a_transposed(a, 16 * step, key);
    add_step<W>(sums, a, x, 16 * step);
  }
}

template <int W, int T>
__global__ void __launch_bounds__(kWarp* T, OneBlock<W, T>::kBlocks)
    attention_mma_one_block_grad(Arguments a) {
  using B = OneBlock<W, T>;
  const Lane lane;
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t item = blockIdx.x;
  const int row = 16 * lane.warp;
  const Scale scale(a.scale);
  const Tile<W> q{dynamic_shared<Bf16>()};
  const Tile<W> dy{q.at(B::kRows, 0)};
  const Tile<W> k{dy.at(B::kRows, 0)};
  const Tile<W> v{k.at(B::kRows, 0)};
  const Tile<B::kRows> w_tile{k.data};
  const Tile<B::kRows> ds_tile{k.data + B::kOverlaid};
  q.fill(head_of(a.q, a, item), a.q.row, 0, a.queries, B::kRows, thread, B::kThreads);
  k.fill(head_of(a.k, a, item), a.k.row, 0, a.keys, B::kRows, thread, B::kThreads);
  copies_commit();
  dy.fill(head_of(a.dy, a, item), a.dy.row, 0, a.queries, B::kRows, thread, B::kThreads);
  v.fill(head_of(a.v, a, item), a.v.row, 0, a.keys, B::kRows, thread, B::kThreads);
  copies_commit();

  Weights<T> w, ds;
  copies_wait<1>();
  __syncthreads();
  {
    Sums<2 * T> products[1];
    dot_tiles<W, 1, 2 * T, 1>(products, q, row, scale.flip, k);
    mask<2 * T>(products[0], a.keys, lane);
    softmax<T>(w, products[0], scale.exponent);
    copies_wait<0>();
    __syncthreads();
    dot_tiles<W, 1, 2 * T, 1>(products, dy, row, 0, v);
    softmax_back<T>(ds, w, products[0]);
  }
  Sums<W / 8> sums;
  clear<W / 8>(sums);
#pragma unroll
  for (int step = 0; step < T; ++step) add_step<W>(sums, ds[step], k, 16 * step);
  const Tile<W> stage{ds_tile.data};  // until ds is put there
  stage.put(row, sums, a.scale, a.scale, lane);
  stage.store(row, head_of(a.dq, a, item), a.dq.row, row, a.queries, lane);
  __syncthreads();  // all have read k and v, and stored dq
  put_weights<T>(w_tile, row, w, lane);
  put_weights<T>(ds_tile, row, ds, lane);
  __syncthreads();

  Sums<W / 8> dv;
  transposed_product<W, T>(dv, w_tile, row, dy);
  transposed_product<W, T>(sums, ds_tile, row, q);
  __syncthreads();  // all have read q and dy
  q.put(row, sums, a.scale, a.scale, lane);
  q.store(row, head_of(a.dk, a, item), a.dk.row, row, a.keys, lane);
  dy.put(row, dv, 1.0f, 1.0f, lane);
  dy.store(row, head_of(a.dv, a, item), a.dv.row, row, a.keys, lane);
}

template <int W, int T>
GpuKernel backward(const Arguments& a) {
  using B = OneBlock<W, T>;
  Geometry g;
  g.grid.x = grid_of(a.count);
  g.block.x = B::kThreads;
  g.shared_bytes = B::kBytes;
  return {.name = cat("attention_mma_one_block_grad<", W, ",", B::kRows, "> bf16, ", to_string(g)),
          .run = [=](cudaStream_t stream) {
            launch(attention_mma_one_block_grad<W, T>, g, stream, a);
          }};
}

template <int W>
GpuKernel backward(const Arguments& a) {
  return std::max(a.queries, a.keys) <= 48 ? backward<W, 3>(a) : backward<W, 7>(a);
}

}  // namespace

bool fits_one_block(const ops::AttentionShape& s) {
  return std::max(s.queries, s.keys) <= 112;
}

GpuKernel make_one_block_grad(const AttentionArguments<Bf16>& a) {
  return a.width == 32 ? backward<32>(a) : backward<64>(a);
}

}  // namespace grimace::cuda
