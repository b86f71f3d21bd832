#include "ir/ops/gemm.h"

#include <Eigen/Core>

namespace grimace::ops {

template <typename T>
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Matrix> left(a, ta ? k : m, ta ? m : k);
  const Eigen::Map<const Matrix> right(b, tb ? n : k, tb ? k : n);
  Eigen::Map<Matrix> product(c, m, n);
  if (ta && tb) product.noalias() = left.transpose() * right.transpose();
  if (ta && !tb) product.noalias() = left.transpose() * right;
  if (!ta && tb) product.noalias() = left * right.transpose();
  if (!ta && !tb) product.noalias() = left * right;
}

template void gemm(bool, bool, int64_t, int64_t, int64_t, const float*, const float*, float*);
template void gemm(bool, bool, int64_t, int64_t, int64_t, const double*, const double*, double*);

}  // namespace grimace::ops
