// One AdamW step of one parameter (spec 6), decoupled decay first. Inputs: param, m, v, grad (one
// type), then scalars lr, weight_decay, scale (of that type), step i64 (1 at the first update) and
// apply (bool). Results: the next param, m, v. With g = grad * scale and l = lr * lr_scale:
//   p -= l wd p;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
//   p -= l / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
// When `apply` is false nothing changes, whatever the gradient holds. `decay` = false: wd is 0.
#include <cmath>

#include "ir/ops/elementwise.h"

namespace grimace {
namespace {

using namespace ops;

std::vector<TensorType> infer(const Node& n) {
  const TensorType& p = n.in(0);
  n.require(is_float(p.dtype), "the parameter must be a float tensor; got ", p);
  for (int i = 1; i < 4; ++i)
    n.require(n.in(i) == p, "m, v and grad must have the parameter's type ", p, "; input ", i,
              " is ", n.in(i));
  const TensorType scalar{p.dtype, {}};
  n.require(n.in(4) == scalar && n.in(5) == scalar && n.in(6) == scalar,
            "lr, weight_decay and scale must be ", scalar, "; got ", n.in(4), ", ", n.in(5),
            " and ", n.in(6));
  n.require(n.in(7) == TensorType{DType::i64, {}} && n.in(8) == TensorType{DType::boolean, {}},
            "step must be i64[] and apply bool[]; got ", n.in(7), " and ", n.in(8));
  return {p, p, p};
}

std::vector<Value> decompose(Builder& b, const Node& n) {
  const double b1 = n.real("beta1");
  const double b2 = n.real("beta2");
  const Value p = n.input(0);
  const Value apply = n.input(8);
  const Value lr = n.input(4) * n.real("lr_scale");
  const Value t = b.cast(n.input(7), p.dtype());
  const Value g = n.input(3) * n.input(6);
  const Value m = n.input(1) * b1 + g * (1.0 - b1);
  const Value v = n.input(2) * b2 + g * g * (1.0 - b2);
  const Value decayed = n.flag("decay") ? p - p * (lr * n.input(5)) : p;
  const Value correction1 = 1.0 - b.exp(t * std::log(b1));
  const Value correction2 = 1.0 - b.exp(t * std::log(b2));
  const Value next =
      decayed - lr / correction1 * m / (b.sqrt(v) / b.sqrt(correction2) + n.real("eps"));
  return {b.select(apply, next, p), b.select(apply, m, n.input(1)), b.select(apply, v, n.input(2))};
}

void reference(const Node& n, std::span<const ConstView> in, std::span<const View> out) {
  const bool apply = in[8].as<bool>()[0];
  const auto t = static_cast<double>(in[7].as<int64_t>()[0]);
  with_float(n.in(0).dtype, [&](auto zero) {
    using T = decltype(zero);
    const double b1 = n.real("beta1");
    const double b2 = n.real("beta2");
    const double lr = static_cast<double>(in[4].as<T>()[0]) * n.real("lr_scale");
    const double decay = n.flag("decay") ? static_cast<double>(in[5].as<T>()[0]) : 0.0;
    const T keep = T(1.0 - lr * decay);
    const T rate = T(lr / (1.0 - std::pow(b1, t)));
    const T root = T(std::sqrt(1.0 - std::pow(b2, t)));
    for (size_t i = 0; i < in[0].as<T>().size(); ++i) {
      T p = in[0].as<T>()[i];
      T m = in[1].as<T>()[i];
      T v = in[2].as<T>()[i];
      if (apply) {
        const T g = in[3].as<T>()[i] * in[6].as<T>()[0];
        m = T(b1) * m + T(1.0 - b1) * g;
        v = T(b2) * v + T(1.0 - b2) * g * g;
        p = p * keep - rate * m / (std::sqrt(v) / root + T(n.real("eps")));
      }
      out[0].as<T>()[i] = p;
      out[1].as<T>()[i] = m;
      out[2].as<T>()[i] = v;
    }
  });
}

}  // namespace

constinit const OpDef op_adamw{
    .name = "adamw",
    .min_inputs = 9,
    .max_inputs = 9,
    .attrs = {{{"beta1", AttrKind::real},
               {"beta2", AttrKind::real},
               {"eps", AttrKind::real, "1e-08"},
               {"lr_scale", AttrKind::real, "1"},
               {"decay", AttrKind::boolean, "true"}}},
    .infer = infer,
    .flops = [](const Node& n) { return 16 * n.in(0).numel(); },
    .decompose = decompose,
    .reference = reference,
    .aliasing = Aliasing::in_order,
};

}  // namespace grimace
