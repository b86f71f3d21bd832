// One AdamW step in one sweep over param, m, v and grad; nothing is touched in place when `apply`
// is false. Step-wide factors are formed in double once per run. Split by elements.
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels.h"
#include "backends/cpu/parallel.h"

namespace grimace::cpu {
namespace {

struct Factors {
  float keep, rate, inverse_root, grad_scale, beta1, beta2, rest1, rest2, eps;
};

Factors factors_of(const Node& node, const Operands& operands) {
  const double b1 = node.real("beta1");
  const double b2 = node.real("beta2");
  const auto t = static_cast<double>(operands.in[7].as<int64_t>()[0]);
  const double lr = static_cast<double>(operands.in[4].as<float>()[0]) * node.real("lr_scale");
  const double decay =
      node.flag("decay") ? static_cast<double>(operands.in[5].as<float>()[0]) : 0.0;
  return {.keep = static_cast<float>(1.0 - lr * decay),
          .rate = static_cast<float>(lr / (1.0 - std::pow(b1, t))),
          .inverse_root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(b2, t))),
          .grad_scale = operands.in[6].as<float>()[0],
          .beta1 = static_cast<float>(b1),
          .beta2 = static_cast<float>(b2),
          .rest1 = static_cast<float>(1.0 - b1),
          .rest2 = static_cast<float>(1.0 - b2),
          .eps = static_cast<float>(node.real("eps"))};
}

struct Moments {
  const float *p, *m, *v, *g;
  float *next_p, *next_m, *next_v;
};

void sweep(const Context& cpu, const Factors& factors, const Moments& arrays, int64_t count) {
  parallel_for(cpu, count, kGrain, [=](int64_t begin, int64_t end) {
    const Factors f = factors;
    const Moments a = arrays;
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) {
      const float g = a.g[i] * f.grad_scale;
      const float m = f.beta1 * a.m[i] + f.rest1 * g;
      const float v = f.beta2 * a.v[i] + f.rest2 * g * g;
      a.next_p[i] = a.p[i] * f.keep - f.rate * m / (std::sqrt(v) * f.inverse_root + f.eps);
      a.next_m[i] = m;
      a.next_v[i] = v;
    }
  });
}

}  // namespace

Kernel make_adamw(const Node& node, const Operands& operands, const Context& cpu) {
  return [cpu, &node, operands] {
    if (!operands.in[8].as<bool>()[0]) {
      for (size_t i = 0; i < 3; ++i)
        if (operands.out[i].data != operands.in[i].data)
          std::memcpy(operands.out[i].data, operands.in[i].data,
                      static_cast<size_t>(node.out(0).bytes()));
      return;
    }
    const auto in = [&](size_t i) { return operands.in[i].as<float>().data(); };
    const auto out = [&](size_t i) { return operands.out[i].as<float>().data(); };
    sweep(cpu, factors_of(node, operands), {in(0), in(1), in(2), in(3), out(0), out(1), out(2)},
          node.out(0).numel());
  };
}

}  // namespace grimace::cpu
