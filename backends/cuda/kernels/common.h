// What kernels share: element types picked on the host, accesses of 16 bytes, loops, and index
// arithmetic by multiplication. Index arithmetic is in 32 bits: whatever walks more than kMostSteps
// places is cut into pieces on the host, each launched by itself.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "backends/cuda/kernels.h"
#include "backends/loops.h"
#include "ir/op_def.h"

namespace grimace::cuda {

// ---- Element types, on the host ------------------------------------------------------------
// Each returns visit(T{}) with the storage type of `dtype`.
template <typename Visit>
auto with_float(DType dtype, Visit&& visit) {
  if (dtype == DType::bf16) return visit(Bf16{});
  if (dtype == DType::f16) return visit(F16{});
  internal_check(dtype == DType::f32, "no kernel for elements of ", name_of(dtype));
  return visit(float{});
}
template <typename Visit>
auto with_number(DType dtype, Visit&& visit) {
  if (dtype == DType::i32) return visit(int32_t{});
  if (dtype == DType::i64) return visit(int64_t{});
  return with_float(dtype, visit);
}
template <typename Visit>
auto with_element(DType dtype, Visit&& visit) {
  if (dtype == DType::u8) return visit(uint8_t{});
  if (dtype == DType::boolean) return visit(bool{});
  return with_number(dtype, visit);
}
// Whether it can, as is_gpu_float says of with_float.
inline bool is_gpu_number(DType dtype) {
  return is_gpu_float(dtype) || dtype == DType::i32 || dtype == DType::i64;
}
inline bool is_gpu_element(DType dtype) {
  return is_gpu_number(dtype) || dtype == DType::u8 || dtype == DType::boolean;
}

template <typename T>
const T* address(const ConstView& view) {
  return static_cast<const T*>(view.data);
}
template <typename T>
T* address(const View& view) {
  return static_cast<T*>(view.data);
}

// Words of up to 16 bytes, for kernels that only move elements.
template <typename Visit>
auto with_wide_word(int64_t bytes, Visit&& visit) {
  switch (bytes) {
    case 1:
      return visit(uint8_t{});
    case 2:
      return visit(uint16_t{});
    case 4:
      return visit(uint32_t{});
    case 8:
      return visit(uint64_t{});
    default:
      return visit(uint4{});
  }
}
// The widest such word, of which every byte count given is a multiple.
inline int64_t common_word(std::initializer_list<int64_t> byte_counts) {
  uint64_t bits = 16;
  for (const int64_t count : byte_counts) bits |= static_cast<uint64_t>(count);
  return static_cast<int64_t>(bits & (~bits + 1));
}

// ---- Launches ------------------------------------------------------------------------------
constexpr int kThreads = 256;  // of a block, where nothing else is said
constexpr int kUnroll = 4;     // what a thread reads before it writes, likewise
constexpr int64_t kMostSteps = (int64_t{1} << 31) - 1;

// Blocks of kThreads for so many threads, as many as keep every multiprocessor busy for a few
// rounds; kernels loop over what is left.
inline Geometry threads_for(const Context& context, int64_t threads) {
  constexpr int64_t kBlocksEach = 32;
  const int64_t most = kBlocksEach * context.properties.multiprocessors;
  return {.grid = {blocks_for(threads, kThreads, most)}, .block = {kThreads}};
}

inline int64_t quotient_up(int64_t count, int64_t by) {
  return (count + by - 1) / by;
}
// The smallest power of two that is no less than `count`, at most `most` (itself one).
inline int power_of_two(int64_t count, int most) {
  int power = 1;
  while (power < count && power < most) power *= 2;
  return power;
}

// ---- Index arithmetic ----------------------------------------------------------------------
// n / divisor for n and divisor below 2^31, as a multiplication and a shift.
struct FastDivide {
  uint32_t divisor = 1;
  uint32_t magic = 1;
  uint32_t shift = 0;

  FastDivide() = default;
  explicit FastDivide(int64_t by) : divisor(static_cast<uint32_t>(by)) {
    internal_check(by > 0 && by <= kMostSteps, "division by ", by);
    while ((uint32_t{1} << shift) < divisor) ++shift;
    const uint64_t power = uint64_t{1} << shift;
    magic = static_cast<uint32_t>(((power - divisor) << 32) / divisor + 1);
  }

  __host__ __device__ __forceinline__ uint32_t operator()(uint32_t n) const {
    const auto high = static_cast<uint32_t>((uint64_t{n} * magic) >> 32);
    return (high + n) >> shift;
  }
};

// Where step `flat` of a loop nest is in each of N tensors.
template <int N>
struct Walk {
  int rank = 1;
  FastDivide dims[kMaxRank];
  uint32_t strides[N][kMaxRank] = {};

  Walk() = default;
  explicit Walk(const Loops<N>& loops) : rank(loops.rank) {
    for (int axis = 0; axis < rank; ++axis) {
      const auto a = static_cast<size_t>(axis);
      dims[axis] = FastDivide(loops.dims[a]);
      for (int k = 0; k < N; ++k) {
        const int64_t stride = loops.strides[static_cast<size_t>(k)][a];
        internal_check(stride >= 0 && stride >> 32 == 0, "a stride of ", stride);
        strides[k][axis] = static_cast<uint32_t>(stride);
      }
    }
  }

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)
  __device__ __forceinline__ void find(uint32_t flat, int64_t (&at)[N]) const {
#pragma unroll
    for (int k = 0; k < N; ++k) at[k] = 0;
    uint32_t rest = flat;
#pragma unroll
    for (int i = 0; i < kMaxRank; ++i) {
      const int axis = rank - 1 - i;
      if (axis < 0) break;
      const uint32_t outer = axis == 0 ? 0 : dims[axis](rest);
      const uint32_t index = rest - outer * dims[axis].divisor;
#pragma unroll
      for (int k = 0; k < N; ++k) at[k] += static_cast<int64_t>(uint64_t{index} * strides[k][axis]);
      rest = outer;
    }
  }
#endif
};

// A part of a loop nest small enough for one launch, and where it begins in each tensor.
template <size_t N>
struct Piece {
  Loops<N> loops;
  std::array<int64_t, N> begin{};
};

template <size_t N>
void cut(const Piece<N>& whole, std::vector<Piece<N>>& out) {
  if (whole.loops.count() <= kMostSteps) return out.push_back(whole);
  size_t axis = 0;
  while (whole.loops.dims[axis] == 1) ++axis;
  const int64_t half = whole.loops.dims[axis] / 2;
  Piece<N> part = whole;
  part.loops.dims[axis] = half;
  cut(part, out);
  part.loops.dims[axis] = whole.loops.dims[axis] - half;
  for (size_t k = 0; k < N; ++k) part.begin[k] += half * whole.loops.strides[k][axis];
  cut(part, out);
}
template <size_t N>
std::vector<Piece<N>> pieces(const Loops<N>& loops) {
  std::vector<Piece<N>> out;
  cut(Piece<N>{loops}, out);
  return out;
}

#if defined(__CUDACC__) || defined(GRIMACE_CUDA_EMULATED)

// ---- Vectors: N elements in one access, at an address that is a multiple of their size ------
template <typename T, int N>
struct alignas(sizeof(T) * N) Vec {
  T v[N];
};
template <int N, typename T>
__device__ __forceinline__ Vec<T, N> load(const T* from) {
  return *reinterpret_cast<const Vec<T, N>*>(from);
}
template <int N, typename T>
__device__ __forceinline__ void store(T* to, const Vec<T, N>& values) {
  *reinterpret_cast<Vec<T, N>*>(to) = values;
}

// ---- What kernels compute in: floats of 16 bits in float, everything else as it is ----------
// clang-format off
template <typename T> struct WideOf { using type = T; };
template <> struct WideOf<Bf16> { using type = float; };
template <> struct WideOf<F16> { using type = float; };
template <typename T> using Wide = typename WideOf<T>::type;
// clang-format on

template <typename T>
__device__ __forceinline__ Wide<T> widen(T v) {
  if constexpr (std::is_same_v<Wide<T>, T>)
    return v;
  else
    return to_float(v);
}
template <typename T>
__device__ __forceinline__ T narrow(Wide<T> v) {
  if constexpr (std::is_same_v<Wide<T>, T>)
    return v;
  else
    return from_float<T>(v);
}
template <typename T, int N>
__device__ __forceinline__ Vec<T, N> narrow_all(const Wide<T> (&wide)[N]) {
  Vec<T, N> out;
  if constexpr (std::is_same_v<T, Bf16> && N % 2 == 0) {
#pragma unroll
    for (int i = 0; i < N; i += 2) {
      const uint32_t both = pack_bf16(wide[i], wide[i + 1]);
      out.v[i].bits = static_cast<uint16_t>(both);
      out.v[i + 1].bits = static_cast<uint16_t>(both >> 16);
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) out.v[i] = narrow<T>(wide[i]);
  }
  return out;
}

// As floats.
template <int N, typename T>
__device__ __forceinline__ void load(const T* from, float (&to)[N]) {
  const Vec<T, N> values = load<N>(from);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = to_float(values.v[i]);
}
template <int N, typename T>
__device__ __forceinline__ void store(T* to, const float (&from)[N]) {
  store<N>(to, narrow_all<T, N>(from));
}

// write(i, read(i)) for every i < count, by a grid of blocks of kThreads; all `unroll` reads of a
// thread are under way before it writes.
template <int unroll, typename Read, typename Write>
__device__ __forceinline__ void read_then_write(int64_t count, const Read& read,
                                                const Write& write) {
  const int64_t stride = int64_t{gridDim.x} * (kThreads * unroll);
  for (int64_t first = int64_t{blockIdx.x} * (kThreads * unroll) + threadIdx.x; first < count;
       first += stride) {
    decltype(read(first)) values[unroll];
#pragma unroll
    for (int u = 0; u < unroll; ++u) {
      const int64_t i = first + u * kThreads;
      if (i >= count) break;
      values[u] = read(i);
    }
#pragma unroll
    for (int u = 0; u < unroll; ++u) {
      const int64_t i = first + u * kThreads;
      if (i >= count) break;
      write(i, values[u]);
    }
  }
}

#endif  // device code

}  // namespace grimace::cuda
