// Ops without tensors to read. full: one 16-byte word over and over. position_table: in double, as
// its definition is; it runs once. random_uniform: the Philox of ir/philox.h itself, one call for
// four elements. Split: by vectors, a grid apart when there are more.
#include "backends/cuda/kernels/common.h"
#include "ir/ops/layout.h"
#include "ir/philox.h"
#include "runtime/tensor.h"

namespace grimace::cuda {
namespace {

// Where the vectors of V elements are that a thread is to write, the last one cut short.
template <int V, typename T, typename Make>
__device__ __forceinline__ void write_vectors(T* y, int64_t count, const Make& make) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i * V < count; i += stride) {
    const Vec<T, V> values = make(i);
    if ((i + 1) * V <= count) {
      store<V>(y + i * V, values);
      continue;
    }
#pragma unroll
    for (int j = 0; j < V; ++j)
      if (i * V + j < count) y[i * V + j] = values.v[j];
  }
}

// ---- full ----------------------------------------------------------------------------------
template <typename W>
__global__ void __launch_bounds__(kThreads) fill(W* y, int64_t count, W value) {
  constexpr int kVector = 16 / static_cast<int>(sizeof(W));
  write_vectors<kVector>(y, count, [=](int64_t) {
    Vec<W, kVector> values;
#pragma unroll
    for (int j = 0; j < kVector; ++j) values.v[j] = value;
    return values;
  });
}

GpuKernel make_full(const Node& node, const Operands& operands, const Context& context) {
  const DType dtype = node.out().dtype;
  const double value = node.real("value");
  GpuKernel kernel;
  ops::with_word(size_of(dtype), [&](auto zero) {
    using W = decltype(zero);
    W word = 0;
    convert({{DType::f64, {}}, &value}, View{{dtype, {}}, &word});
    const int64_t count = node.out().numel();
    const Geometry geometry =
        threads_for(context, quotient_up(count * static_cast<int64_t>(sizeof(W)), 16));
    kernel.name = cat("full ", dtype, ", ", to_string(geometry));
    kernel.run = [=, y = address<W>(operands.out[0])](cudaStream_t stream) {
      launch(fill<W>, geometry, stream, y, count, word);
    };
  });
  return kernel;
}

// ---- position_table ------------------------------------------------------------------------
template <typename T>
__global__ void __launch_bounds__(kThreads) position_table(T* y, int64_t rows, int64_t dim) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows * dim; i += stride) {
    const int64_t row = i / dim;
    const int64_t col = i - row * dim;
    const double exponent = static_cast<double>(col / 2 * 2) / static_cast<double>(dim);
    const double angle = static_cast<double>(row) / pow(10000.0, exponent);
    y[i] = from_float<T>(static_cast<float>(col % 2 == 0 ? sin(angle) : cos(angle)));
  }
}

GpuKernel make_position_table(const Node& node, const Operands& operands, const Context& context) {
  const int64_t rows = node.integer("rows");
  const int64_t dim = node.integer("dim");
  const Geometry geometry = threads_for(context, rows * dim);
  return with_float(node.out().dtype, [&](auto zero) -> GpuKernel {
    using T = decltype(zero);
    return {.name = cat("position_table ", node.out().dtype, ", ", to_string(geometry)),
            .run = [=, y = address<T>(operands.out[0])](cudaStream_t stream) {
              launch(position_table<T>, geometry, stream, y, rows, dim);
            }};
  });
}

// ---- random_uniform ------------------------------------------------------------------------
template <typename T>
__global__ void __launch_bounds__(kThreads)
    random_uniform(const int64_t* seed, const int64_t* step, uint64_t site, T* y, int64_t count) {
  const auto key = static_cast<uint64_t>(*seed);
  const uint64_t high = (site << 40) ^ static_cast<uint64_t>(*step);
  write_vectors<4>(y, count, [=](int64_t i) {
    const auto draws = philox(key, high, static_cast<uint64_t>(i));
    Vec<T, 4> values;
#pragma unroll
    for (unsigned j = 0; j < 4; ++j)
      values.v[j] = from_float<T>(static_cast<float>(draws[j] >> 8) * 0x1.0p-24f);
    return values;
  });
}

GpuKernel make_random_uniform(const Node& node, const Operands& operands, const Context& context) {
  const int64_t count = node.out().numel();
  const auto site = static_cast<uint64_t>(node.integer("site"));
  const Geometry geometry = threads_for(context, quotient_up(count, 4));
  return with_float(node.out().dtype, [&](auto zero) -> GpuKernel {
    using T = decltype(zero);
    return {
        .name = cat("random_uniform ", node.out().dtype, ", ", to_string(geometry)),
        .run = [=, seed = address<int64_t>(operands.in[0]), step = address<int64_t>(operands.in[1]),
                y = address<T>(operands.out[0])](cudaStream_t stream) {
          launch(random_uniform<T>, geometry, stream, seed, step, site, y, count);
        }};
  });
}

}  // namespace

bool serves_source(const Node& node) {
  return node.is(op_full) || is_gpu_float(node.out().dtype);
}

GpuKernel make_source(const Node& node, const Operands& operands, const Context& context) {
  if (node.out().numel() == 0) return nothing();
  if (node.is(op_full)) return make_full(node, operands, context);
  if (node.is(op_position_table)) return make_position_table(node, operands, context);
  return make_random_uniform(node, operands, context);
}

}  // namespace grimace::cuda
