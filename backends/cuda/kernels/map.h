// y[i] = f(a[i], b[i], c[i]) with NumPy broadcasting, for any function of up to three elements: the
// one kernel behind all elementwise ops and broadcast.
// Layout: the result is dense; an operand steps by 0 or 1 along the last axis of the collapsed loop
// nest. Flat nests (one shape, or single values) need no index arithmetic. Otherwise one division
// per axis finds a vector of the last axis, or an element where its length is no whole number of
// vectors. A vector is 16 bytes of the widest type. Split: a thread computes a few vectors, a
// grid apart when there are more. Element i is read before it is written, so y may be an operand.
#pragma once

#include "backends/cuda/kernels/common.h"

namespace grimace::cuda {

struct None {};  // the type of an operand that f does not have

struct MapArguments {
  const void* in[3] = {};
  void* out = nullptr;
  int64_t count = 0;    // of elements
  bool varies[3] = {};  // along the last axis; else one value for all of it
  Walk<3> walk;         // in vectors along the last axis; of nests that are not flat
};

// What the shape of a launch depends on of the element types, and the launches (map.cu).
struct MapTypes {
  int inputs = 1, vector = 1, unroll = 1;
  int64_t sizes[4] = {};  // of a, b, c and y
};
struct MapPlan {
  bool flat = true;
  int vector = 1;
  std::string name;
  std::vector<std::pair<Geometry, MapArguments>> launches;  // more than one beyond kMostSteps
};
MapPlan plan_map(const MapTypes& types, const Node& node, const Operands& operands,
                 const Context& context);

template <typename R, typename A, typename B, typename C>
constexpr int kMapVector = 16 /
                           static_cast<int>(std::max({sizeof(R), sizeof(A), sizeof(B), sizeof(C)}));

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

template <int V, typename T>
__device__ __forceinline__ Vec<T, V> load_operand(const void* from, int64_t at, bool varies) {
  if constexpr (std::is_same_v<T, None>) {
    return {};
  } else {
    const T* place = static_cast<const T*>(from) + at;
    if (varies) return load<V>(place);
    Vec<T, V> out;
    const T one = *place;
#pragma unroll
    for (int j = 0; j < V; ++j) out.v[j] = one;
    return out;
  }
}

template <typename F, typename A, typename B, typename C>
__device__ __forceinline__ auto map_one(A a, B b, C c) {
  const F f;
  if constexpr (std::is_same_v<B, None>)
    return f(widen(a));
  else if constexpr (std::is_same_v<C, None>)
    return f(widen(a), widen(b));
  else
    return f(widen(a), widen(b), widen(c));
}

// Element i of a flat nest, alone.
template <typename F, typename R, typename A, typename B, typename C>
__device__ __forceinline__ void map_element(const MapArguments& m, int64_t i) {
  const auto a = load_operand<1, A>(m.in[0], m.varies[0] ? i : 0, true);
  const auto b = load_operand<1, B>(m.in[1], m.varies[1] ? i : 0, true);
  const auto c = load_operand<1, C>(m.in[2], m.varies[2] ? i : 0, true);
  static_cast<R*>(m.out)[i] = narrow<R>(map_one<F>(a.v[0], b.v[0], c.v[0]));
}

template <int V, typename A, typename B, typename C>
struct MapOperands {
  Vec<A, V> a;
  Vec<B, V> b;
  Vec<C, V> c;
};

template <typename F, bool flat, int V, int unroll, typename R, typename A, typename B, typename C>
__global__ void __launch_bounds__(kThreads) map_kernel(MapArguments m) {
  const int64_t vectors = m.count / V;
  read_then_write<unroll>(
      vectors,
      [&](int64_t i) {
        int64_t at[3] = {};
        if constexpr (flat) {
          for (int k = 0; k < 3; ++k) at[k] = m.varies[k] ? i * V : 0;
        } else {
          m.walk.find(static_cast<uint32_t>(i), at);
        }
        return MapOperands<V, A, B, C>{load_operand<V, A>(m.in[0], at[0], m.varies[0]),
                                       load_operand<V, B>(m.in[1], at[1], m.varies[1]),
                                       load_operand<V, C>(m.in[2], at[2], m.varies[2])};
      },
      [&](int64_t i, const MapOperands<V, A, B, C>& x) {
        Wide<R> result[V];
#pragma unroll
        for (int j = 0; j < V; ++j) result[j] = map_one<F>(x.a.v[j], x.b.v[j], x.c.v[j]);
        store<V>(static_cast<R*>(m.out) + i * V, narrow_all<R, V>(result));
      });
  if constexpr (flat && V > 1) {  // fewer elements than a vector are left
    const int64_t i = vectors * V + threadIdx.x;
    if (blockIdx.x == 0 && i < m.count) map_element<F, R, A, B, C>(m, i);
  }
}

// Makes the kernel that computes f, a functor of the wide types (common.h), from operands of types
// A, B and C. `what` names it.
template <typename F, typename R, typename A, typename B = None, typename C = None>
GpuKernel make_map(const std::string& what, const Node& node, const Operands& operands,
                   const Context& context) {
  if (node.out().numel() == 0) return nothing();
  constexpr int kInputs = std::is_same_v<B, None> ? 1 : std::is_same_v<C, None> ? 2 : 3;
  constexpr int kVector = kMapVector<R, A, B, C>;
  constexpr int unroll = kInputs == 1 ? 4 : 2;
  const MapTypes types{kInputs, kVector, unroll, {sizeof(A), sizeof(B), sizeof(C), sizeof(R)}};
  const MapPlan plan = plan_map(types, node, operands, context);
  const auto kernel = plan.flat          ? map_kernel<F, true, kVector, unroll, R, A, B, C>
                      : plan.vector == 1 ? map_kernel<F, false, 1, kUnroll, R, A, B, C>
                                         : map_kernel<F, false, kVector, unroll, R, A, B, C>;
  return {.name = cat(what, ", ", plan.name),
          .run = [kernel, launches = plan.launches](cudaStream_t stream) {
            for (const auto& [geometry, m] : launches) launch(kernel, geometry, stream, m);
          }};
}

#endif

}  // namespace grimace::cuda
