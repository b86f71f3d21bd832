// What the pointwise kernels share: element types picked on the host, accesses of 16 bytes, and
// index arithmetic by multiplication. Index arithmetic is in 32 bits: whatever walks more than
// kMostSteps places is cut into pieces on the host, each launched by itself.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "backends/cuda/kernels.h"
#include "backends/loops.h"
#include "ir/op_def.h"

namespace grimace::cuda {

// ---- Element types, on the host ------------------------------------------------------------
// Each calls visit(T{}) with the storage type of `dtype`; false, without a call, for the others.
template <typename Visit>
bool with_float(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::f32:
      return visit(float{}), true;
    case DType::bf16:
      return visit(Bf16{}), true;
    case DType::f16:
      return visit(F16{}), true;
    default:
      return false;
  }
}
template <typename Visit>
bool with_number(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::i32:
      return visit(int32_t{}), true;
    case DType::i64:
      return visit(int64_t{}), true;
    default:
      return with_float(dtype, visit);
  }
}
template <typename Visit>
bool with_element(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::u8:
      return visit(uint8_t{}), true;
    case DType::boolean:
      return visit(bool{}), true;
    default:
      return with_number(dtype, visit);
  }
}
inline bool is_gpu_float(DType dtype) {
  return with_float(dtype, [](auto) {});
}
inline bool is_gpu_number(DType dtype) {
  return with_number(dtype, [](auto) {});
}
inline bool is_gpu_element(DType dtype) {
  return with_element(dtype, [](auto) {});
}

// Words of up to 16 bytes, for kernels that only move elements.
template <typename Visit>
void with_wide_word(int64_t bytes, Visit&& visit) {
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
constexpr int kThreads = 256;
constexpr int64_t kMostSteps = (int64_t{1} << 31) - 1;

// Blocks of kThreads for so many threads, as many as keep every multiprocessor busy for a few
// rounds; kernels loop over what is left.
inline Geometry threads_for(const Context& context, int64_t threads) {
  constexpr int64_t kBlocksEach = 32;
  const int64_t most = kBlocksEach * context.properties.multiprocessors;
  return {.grid = {blocks_for(threads, kThreads, most)}, .block = {kThreads}};
}

// Of an empty result.
inline GpuKernel nothing() {
  return {.name = "nothing", .run = [](cudaStream_t) {}};
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

// Bits set, and the place of the lowest one.
__device__ __forceinline__ int count_bits(uint32_t bits) {
  bits -= (bits >> 1) & 0x55555555u;
  bits = (bits & 0x33333333u) + ((bits >> 2) & 0x33333333u);
  return static_cast<int>((((bits + (bits >> 4)) & 0x0f0f0f0fu) * 0x01010101u) >> 24);
}
__device__ __forceinline__ int lowest_bit(uint32_t bits) {
  return count_bits((bits & (~bits + 1)) - 1);
}

#endif  // device code

}  // namespace grimace::cuda
