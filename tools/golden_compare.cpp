#include "tools/golden_compare.h"

#include <cmath>

namespace grimace {

GoldenLimits golden_limits(Precision precision, const std::string& kind) {
  const bool pretrain = kind == "pretrain";
  switch (precision) {
    case Precision::f64:
      return {1e-6, 1e-6, 1e-6, 1e-6, 1e-4, 1e-9, 1e-7, 1e-6, 1e-6};
    case Precision::f32:
      return {5e-6, 1e-6, 5e-5, 1e-5, 1e-4, 1e-6, 1e-7, 1e-4, 0.2};
    case Precision::bf16:
    case Precision::tf32:  // as many bits in a product's operands as f16 has
      break;
  }
  return {2e-2, pretrain ? 2.5e-3 : 8e-3, 6e-2, 2e-2, 1e-2, 6e-4, 1e-7, 0.0, 0.0};
}

Difference difference(const std::string& name, ConstView expected, ConstView computed) {
  check(expected.type.shape == computed.type.shape, "golden: '", name, "' is stored as ",
        expected.type.shape, " but computed as ", computed.type.shape);
  Tensor e(DType::f64, expected.type.shape);
  Tensor c(DType::f64, computed.type.shape);
  convert(expected, e.view());
  convert(computed, c.view());
  Difference d;
  for (size_t i = 0; i < e.as<double>().size(); ++i) {
    const double delta = c.as<double>()[i] - e.as<double>()[i];
    d.error += delta * delta;
    d.norm += e.as<double>()[i] * e.as<double>()[i];
    // Written so that a NaN stays one.
    d.largest = std::abs(delta) <= d.largest ? d.largest : std::abs(delta);
  }
  d.error = std::sqrt(d.error);
  d.norm = std::sqrt(d.norm);
  return d;
}

GoldenRow compare(const std::string& name, ConstView expected, ConstView computed, double limit) {
  const Difference d = difference(name, expected, computed);
  if (d.norm == 0.0) return {name, d.error, 0.0, "absolute"};
  return {name, d.error / d.norm, limit};
}

std::vector<GoldenRow> compare_gradients(const std::vector<NamedPair>& pairs,
                                         const GoldenLimits& limits) {
  std::vector<Difference> all;
  Difference total;
  for (const NamedPair& pair : pairs) {
    all.push_back(difference(pair.name, pair.expected.view(), pair.computed.view()));
    total.error = std::hypot(total.error, all.back().error);
    total.norm = std::hypot(total.norm, all.back().norm);
  }
  std::vector<GoldenRow> rows;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Difference& d = all[i];
    if (d.norm == 0.0)
      rows.push_back({pairs[i].name, d.error, 0.0, "absolute"});
    else if (d.norm < limits.small_share * total.norm)
      rows.push_back({pairs[i].name, d.error, limits.small_absolute * total.norm, "absolute"});
    else
      rows.push_back({pairs[i].name, d.error / d.norm, limits.gradient});
  }
  if (!pairs.empty()) rows.push_back({"all gradients", total.error / total.norm, limits.gradients});
  return rows;
}

}  // namespace grimace
