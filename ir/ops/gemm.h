// The reference matrix product (Eigen), shared by matmul and linear.
#pragma once

#include <cstdint>

namespace grimace::ops {

// c[m,n] = op(a) op(b), all row-major; op(a) is [m,k], stored as [k,m] when `ta`. Likewise b.
template <typename T>
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c);

}  // namespace grimace::ops
