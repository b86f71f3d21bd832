// global_norm: one pass over all inputs, cut into pieces that depend on the shapes alone. Squares
// are added in f32 within a block and in f64 beyond, in a fixed order: threads change nothing.
#include <cmath>
#include <numeric>
#include <vector>

#include "backends/cpu/kernels.h"
#include "backends/cpu/lanes.h"
#include "backends/cpu/parallel.h"
#include "ir/op_def.h"

namespace grimace::cpu {
namespace {

constexpr int64_t kBlock = 1024;       // squares added up in f32
constexpr int64_t kPiece = 64 * 1024;  // elements summed by one thread

inline double sum_of_squares(std::span<const float> x) {
  double sum = 0.0;
  const auto count = static_cast<int64_t>(x.size());
  for (int64_t i = 0; i < count; i += kBlock) {
    const float* block = x.data() + i;
    sum += static_cast<double>(
        lane_sum(std::min(kBlock, count - i), [block](int64_t j) { return block[j] * block[j]; }));
  }
  return sum;
}

}  // namespace

Kernel make_global_norm(const Node& node, const Operands& operands, const Context& cpu) {
  auto pieces = std::make_shared<std::vector<std::span<const float>>>();
  for (const ConstView& input : operands.in) {
    const auto x = input.as<float>();
    for (size_t i = 0; i < x.size(); i += kPiece)
      pieces->push_back(x.subspan(i, std::min<size_t>(kPiece, x.size() - i)));
  }
  const auto count = static_cast<int64_t>(pieces->size());
  cpu.workspace->reserve(count * size_of(DType::f64));
  const int64_t grain = std::max<int64_t>(1, count * kGrain / std::max<int64_t>(1, flops_of(node)));
  return [cpu, pieces, count, grain, norm = operands.out[0].as<float>().data()] {
    auto* sums = cpu.workspace->as<double>();
    parallel_for(cpu, count, grain, [all = pieces->data(), sums](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sums[i] = sum_of_squares(all[i]);
    });
    *norm = static_cast<float>(std::sqrt(std::accumulate(sums, sums + count, 0.0)));
  };
}

}  // namespace grimace::cpu
