// global_norm and adamw over many tensors in few launches. The table of tensors travels with the
// launch, as a parameter; every block takes one chunk of one of them. f32.
//   global_norm: squares are added in f32 within a block and in f64 beyond, in a fixed order.
//   adamw: one sweep over param, m, v and grad; in place or not. Factors of the step are formed by
//          every thread; 1 - beta^t as -expm1(t log beta), which f32 holds to a rounding or two.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backends/cuda/kernels/common.h"

namespace grimace::cuda {
namespace {

// What a launch may bring along on every architecture.
constexpr size_t kParameterBytes = 4096;

// Which tensor a block works on, by the first blocks of all: the last one not after it.
template <int kMost>
__device__ __forceinline__ int find_tensor(const int (&first)[kMost], int tensors) {
  const auto block = static_cast<int>(blockIdx.x);
  int low = 0;
  for (int high = tensors; high - low > 1;) {
    const int middle = (low + high) / 2;
    if (first[middle] <= block)
      low = middle;
    else
      high = middle;
  }
  return low;
}

// ---- global_norm -----------------------------------------------------------------------------
constexpr int kNormTensors = 200;
constexpr int64_t kNormChunk = 16 << 10;
constexpr int kRootThreads = 1024;

struct NormTable {
  const float* x[kNormTensors];
  int count[kNormTensors];
  int first[kNormTensors];  // block
  int tensors;
};
static_assert(sizeof(NormTable) + sizeof(float*) <= kParameterBytes);

__global__ void __launch_bounds__(kThreads) sum_squares(NormTable a, float* __restrict__ sums) {
  __shared__ float scratch[kWarp];
  const int tensor = find_tensor(a.first, a.tensors);
  const int64_t begin = (static_cast<int>(blockIdx.x) - a.first[tensor]) * kNormChunk;
  const int64_t left = a.count[tensor] - begin;
  const auto count = static_cast<int>(left < kNormChunk ? left : kNormChunk);
  const float* x = a.x[tensor] + begin;
  const auto thread = static_cast<int>(threadIdx.x);
  const int packs = count / 4;
  float sum[4] = {};
  int i = thread;
  for (; i + 3 * kThreads < packs; i += 4 * kThreads) {
    float v[4][4];
    for (int k = 0; k < 4; ++k) load<4>(x + int64_t{4} * (i + k * kThreads), v[k]);
    for (int k = 0; k < 4; ++k)
      for (int n = 0; n < 4; ++n) sum[n] += v[k][n] * v[k][n];
  }
  for (; i < packs; i += kThreads) {
    float v[4];
    load<4>(x + int64_t{4} * i, v);
    for (int n = 0; n < 4; ++n) sum[n] += v[n] * v[n];
  }
  if (4 * packs + thread < count) sum[0] += x[4 * packs + thread] * x[4 * packs + thread];
  const float total = block_sum((sum[0] + sum[1]) + (sum[2] + sum[3]), scratch);
  if (thread == 0) sums[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kRootThreads)
    root_of_sum(const float* __restrict__ sums, int count, float* __restrict__ root) {
  __shared__ double shared[kRootThreads];
  const auto thread = static_cast<int>(threadIdx.x);
  double sum = 0.0;
  for (int i = thread; i < count; i += kRootThreads) sum += static_cast<double>(sums[i]);
  shared[thread] = sum;
  for (int half = kRootThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) shared[thread] += shared[thread + half];
  }
  if (thread == 0) *root = static_cast<float>(sqrt(shared[0]));
}

struct NormLaunch {
  NormTable table;
  int blocks;
};

std::vector<NormLaunch> norm_launches(const Operands& operands) {
  std::vector<NormLaunch> launches;
  for (const ConstView& input : operands.in) {
    const int64_t count = input.type.numel();
    if (count == 0) continue;
    if (launches.empty() || launches.back().table.tensors == kNormTensors) launches.push_back({});
    auto& [table, blocks] = launches.back();
    table.x[table.tensors] = address<float>(input);
    table.count[table.tensors] = static_cast<int>(count);
    table.first[table.tensors++] = blocks;
    blocks += static_cast<int>(quotient_up(count, kNormChunk));
  }
  return launches;
}

GpuKernel make_global_norm(const Operands& operands, const Context& context) {
  const std::vector<NormLaunch> launches = norm_launches(operands);
  int blocks = 0;
  for (const NormLaunch& one : launches) blocks += one.blocks;
  context.workspace->reserve(int64_t{blocks} * size_of(DType::f32));
  return {.name = cat("global_norm of ", operands.in.size(), " tensors, ", blocks, " chunks, ",
                      launches.size() + 1, " launches"),
          .run = [=, workspace = context.workspace,
                  root = address<float>(operands.out[0])](cudaStream_t stream) {
            auto* sums = workspace->as<float>();
            for (const auto& [table, count] : launches) {
              const Geometry geometry{.grid = {static_cast<unsigned>(count)}, .block = {kThreads}};
              launch(sum_squares, geometry, stream, table, sums);
              sums += count;
            }
            launch(root_of_sum, {.block = {kRootThreads}}, stream, workspace->as<float>(), blocks,
                   root);
          }};
}

// ---- adamw -----------------------------------------------------------------------------------
constexpr int kAdamwTensors = 48;
constexpr int kPacks = 2;  // of 4 elements, for each thread
constexpr int kAdamwChunk = kThreads * 4 * kPacks;

struct AdamwTensor {
  const float *p, *m, *v, *g;
  float *next_p, *next_m, *next_v;
  int64_t count;
  float lr_scale;
  float decay;  // 1 or 0: whether weight decay is for it
};
// What all tensors of a group share.
struct AdamwScalars {
  const float *lr, *weight_decay, *scale;
  const int64_t* step;
  const bool* apply;
  float beta1, beta2, rest1, rest2, log_beta1, log_beta2, eps;
  bool operator==(const AdamwScalars&) const = default;
};
struct AdamwTable {
  AdamwTensor tensor[kAdamwTensors];
  int first[kAdamwTensors];  // block
  int tensors;
  AdamwScalars scalars;
};
static_assert(sizeof(AdamwTable) <= kParameterBytes);

struct Factors {
  float keep, rate, inverse_root, grad_scale;
};

__device__ __forceinline__ Factors factors_of(const AdamwScalars& s, const AdamwTensor& t) {
  const auto step = static_cast<float>(*s.step);
  const float lr = *s.lr * t.lr_scale;
  return {.keep = t.decay != 0.0f ? 1.0f - lr * *s.weight_decay : 1.0f,
          .rate = lr / -expm1f(step * s.log_beta1),
          .inverse_root = 1.0f / sqrtf(-expm1f(step * s.log_beta2)),
          .grad_scale = *s.scale};
}

// The first `left` of four elements, all of them mostly.
__device__ __forceinline__ void load_some(const float* from, int64_t left, float (&to)[4]) {
  if (left >= 4) return load<4>(from, to);
  for (int n = 0; n < 4; ++n) to[n] = n < left ? from[n] : 0.0f;
}
__device__ __forceinline__ void store_some(float* to, int64_t left, const float (&from)[4]) {
  if (left >= 4) return store<4>(to, from);
  for (int n = 0; n < 4; ++n)
    if (n < left) to[n] = from[n];
}

__device__ __forceinline__ void copy_some(const float* from, float* to, int64_t left) {
  float v[4];
  if (from == to) return;
  load_some(from, left, v);
  store_some(to, left, v);
}

__global__ void __launch_bounds__(kThreads) adamw_chunks(AdamwTable a) {
  const int index = find_tensor(a.first, a.tensors);
  const AdamwTensor& t = a.tensor[index];
  const int64_t begin = int64_t{static_cast<int>(blockIdx.x) - a.first[index]} * kAdamwChunk +
                        static_cast<int>(threadIdx.x) * 4;
  if (!*a.scalars.apply) {
    for (int k = 0; k < kPacks; ++k) {
      const int64_t i = begin + k * kThreads * 4;
      copy_some(t.p + i, t.next_p + i, t.count - i);
      copy_some(t.m + i, t.next_m + i, t.count - i);
      copy_some(t.v + i, t.next_v + i, t.count - i);
    }
    return;
  }
  float p[kPacks][4], m[kPacks][4], v[kPacks][4], g[kPacks][4];
  for (int k = 0; k < kPacks; ++k) {
    const int64_t i = begin + k * kThreads * 4;
    load_some(t.p + i, t.count - i, p[k]);
    load_some(t.m + i, t.count - i, m[k]);
    load_some(t.v + i, t.count - i, v[k]);
    load_some(t.g + i, t.count - i, g[k]);
  }
  const AdamwScalars& s = a.scalars;
  const Factors f = factors_of(s, t);
  for (int k = 0; k < kPacks; ++k) {
    for (int n = 0; n < 4; ++n) {
      const float grad = g[k][n] * f.grad_scale;
      m[k][n] = s.beta1 * m[k][n] + s.rest1 * grad;
      v[k][n] = s.beta2 * v[k][n] + s.rest2 * grad * grad;
      p[k][n] = p[k][n] * f.keep - f.rate * m[k][n] / (sqrtf(v[k][n]) * f.inverse_root + s.eps);
    }
    const int64_t i = begin + k * kThreads * 4;
    store_some(t.next_p + i, t.count - i, p[k]);
    store_some(t.next_m + i, t.count - i, m[k]);
    store_some(t.next_v + i, t.count - i, v[k]);
  }
}

AdamwScalars scalars_of(const Node& node, const Operands& operands) {
  const double b1 = node.real("beta1");
  const double b2 = node.real("beta2");
  return {.lr = address<float>(operands.in[4]),
          .weight_decay = address<float>(operands.in[5]),
          .scale = address<float>(operands.in[6]),
          .step = address<int64_t>(operands.in[7]),
          .apply = address<bool>(operands.in[8]),
          .beta1 = static_cast<float>(b1),
          .beta2 = static_cast<float>(b2),
          .rest1 = static_cast<float>(1.0 - b1),
          .rest2 = static_cast<float>(1.0 - b2),
          .log_beta1 = static_cast<float>(std::log(b1)),
          .log_beta2 = static_cast<float>(std::log(b2)),
          .eps = static_cast<float>(node.real("eps"))};
}

AdamwTensor tensor_of(const Node& node, const Operands& operands) {
  return {.p = address<float>(operands.in[0]),
          .m = address<float>(operands.in[1]),
          .v = address<float>(operands.in[2]),
          .g = address<float>(operands.in[3]),
          .next_p = address<float>(operands.out[0]),
          .next_m = address<float>(operands.out[1]),
          .next_v = address<float>(operands.out[2]),
          .count = node.out(0).numel(),
          .lr_scale = static_cast<float>(node.real("lr_scale")),
          .decay = node.flag("decay") ? 1.0f : 0.0f};
}

struct AdamwLaunch {
  AdamwTable table;
  int blocks;
};

void add_tensor(std::vector<AdamwLaunch>& launches, const AdamwTensor& tensor,
                const AdamwScalars& scalars) {
  if (launches.empty() || launches.back().table.tensors == kAdamwTensors) {
    launches.push_back({});
    launches.back().table.scalars = scalars;
  }
  auto& [table, blocks] = launches.back();
  table.tensor[table.tensors] = tensor;
  table.first[table.tensors++] = blocks;
  blocks += static_cast<int>(quotient_up(tensor.count, kAdamwChunk));
}

}  // namespace

bool same_adamw_group(const Node& a, const Node& b) {
  for (int i = 4; i < 9; ++i)
    if (a.input(i) != b.input(i)) return false;
  return a.real("beta1") == b.real("beta1") && a.real("beta2") == b.real("beta2") &&
         a.real("eps") == b.real("eps");
}

bool independent_adamw(const Operands& a, const Operands& b) {
  const auto overlap = [](const View& written, const ConstView& read) {
    const auto* w = static_cast<const std::byte*>(written.data);
    const auto* r = static_cast<const std::byte*>(read.data);
    return w < r + read.type.bytes() && r < w + written.type.bytes();
  };
  const auto writes_into = [&](const Operands& writer, const Operands& reader) {
    return std::ranges::any_of(writer.out, [&](const View& out) {
      return std::any_of(reader.in.begin(), reader.in.begin() + 4,
                         [&](const ConstView& in) { return overlap(out, in); });
    });
  };
  return !writes_into(a, b) && !writes_into(b, a);
}

GpuKernel make_adamw_group(std::span<const Node* const> nodes, std::span<const Operands> operands,
                           const Context&) {
  std::vector<AdamwLaunch> launches;
  int64_t count = 0;
  const AdamwScalars scalars = scalars_of(*nodes[0], operands[0]);
  for (size_t i = 0; i < nodes.size(); ++i) {
    internal_check(scalars_of(*nodes[i], operands[i]) == scalars, nodes[i]->describe(),
                   " is not of one group with ", nodes[0]->describe());
    if (nodes[i]->out().numel() == 0) continue;
    add_tensor(launches, tensor_of(*nodes[i], operands[i]), scalars);
    count += nodes[i]->out().numel();
  }
  if (launches.empty()) return nothing();
  return {.name = cat("adamw of ", nodes.size(), " tensors, ", count, " elements, ",
                      launches.size(), " launches"),
          .run = [launches](cudaStream_t stream) {
            for (const auto& [table, blocks] : launches)
              launch(adamw_chunks, {.grid = {static_cast<unsigned>(blocks)}, .block = {kThreads}},
                     stream, table);
          }};
}

bool serves_optimizer(const Node& node) {
  const bool fits = !node.is(op_global_norm) || std::ranges::all_of(node.inputs(), [](Value x) {
    return x.type().numel() <= std::numeric_limits<int>::max();
  });
  return node.in(0).dtype == DType::f32 && fits;
}

GpuKernel make_optimizer(const Node& node, const Operands& operands, const Context& context) {
  if (node.is(op_global_norm)) return make_global_norm(operands, context);
  const Node* const nodes[] = {&node};
  return make_adamw_group(nodes, {&operands, 1}, context);
}

}  // namespace grimace::cuda
