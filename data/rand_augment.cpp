#include "data/rand_augment.h"

#include <algorithm>
#include <charconv>

#include "data/pixel_ops.h"
#include "ir/error.h"

namespace grimace {
namespace {

constexpr double kMaxMagnitude = 10;
constexpr int kMaxLayers = 100;

double parse_number(std::string_view whole, std::string_view field, std::string_view digits,
                    double low, double high) {
  double value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  check(
      code == std::errc() && end == digits.data() + digits.size() && value >= low && value <= high,
      "RandAugment '", whole, "': '", field, "' needs a number from ", low, " to ", high);
  return value;
}

// Takes the part before the next '-' off the front.
std::string_view take_field(std::string_view& rest) {
  const size_t dash = std::min(rest.find('-'), rest.size());
  const std::string_view field = rest.substr(0, dash);
  rest.remove_prefix(std::min(dash + 1, rest.size()));
  return field;
}

}  // namespace

RandAugmentConfig parse_rand_augment(std::string_view text) {
  constexpr size_t kMaxText = 100;
  check(text.size() <= kMaxText, "RandAugment: a policy of more than ", kMaxText, " characters");
  std::string_view rest = text;
  check(take_field(rest) == "rand", "RandAugment '", text,
        "': expected a policy like rand-m7-n4-mstd0.5-inc1");
  RandAugmentConfig config{.layers = 2, .magnitude = kMaxMagnitude, .magnitude_std = 0};
  bool increasing = false;
  while (!rest.empty()) {
    const std::string_view field = take_field(rest);
    if (field.starts_with("mstd"))
      config.magnitude_std = parse_number(text, field, field.substr(4), 0, kMaxMagnitude);
    else if (field.starts_with("inc"))
      increasing = true;  // whatever follows, as in the reference
    else if (field.starts_with("m"))
      config.magnitude = parse_number(text, field, field.substr(1), 0, kMaxMagnitude);
    else if (field.starts_with("n"))
      config.layers = static_cast<int>(parse_number(text, field, field.substr(1), 1, kMaxLayers));
    else
      throw Error(cat("RandAugment '", text, "': unknown field '", field,
                      "'; known are m, n, mstd and inc"));
  }
  check(increasing, "RandAugment '", text,
        "': only the increasing operations are implemented; add -inc1");
  return config;
}

AugmentStep augment_step(RandOp op, double magnitude, bool negative) {
  const double share = magnitude / kMaxMagnitude;
  const double sign = negative ? -1 : 1;
  switch (op) {
    case RandOp::auto_contrast:
    case RandOp::equalize:
    case RandOp::invert:
      return {op, 0};
    case RandOp::rotate:
      return {op, sign * (share * 30)};
    case RandOp::posterize:
      return {op, static_cast<double>(4 - static_cast<int>(share * 4))};
    case RandOp::solarize:
      return {op, static_cast<double>(256 - static_cast<int>(share * 256))};
    case RandOp::solarize_add:
      return {op, static_cast<double>(static_cast<int>(share * 110))};
    case RandOp::color:
    case RandOp::contrast:
    case RandOp::brightness:
    case RandOp::sharpness:
      return {op, 1.0 + sign * (share * 0.9)};
    case RandOp::shear_x:
    case RandOp::shear_y:
      return {op, sign * (share * 0.3)};
    case RandOp::translate_x:
    case RandOp::translate_y:
      return {op, sign * (share * 0.45)};
  }
  throw InternalError("an operation that RandAugment does not know");
}

std::vector<AugmentStep> draw_rand_augment(const RandAugmentConfig& config, PhiloxStream& random) {
  std::vector<AugmentStep> steps;
  for (int layer = 0; layer < config.layers; ++layer) {
    const auto op = static_cast<RandOp>(random.below(kRandOps));
    const bool applied = random.coin();
    const bool negative = random.coin();
    const double magnitude = config.magnitude + config.magnitude_std * random.normal();
    if (applied)
      steps.push_back(augment_step(op, std::clamp(magnitude, 0.0, kMaxMagnitude), negative));
  }
  return steps;
}

Image apply(const AugmentStep& step, const Image& image) {
  const double argument = step.argument;
  const auto factor = static_cast<float>(argument);
  switch (step.op) {
    case RandOp::auto_contrast:
      return auto_contrast(image);
    case RandOp::equalize:
      return equalize(image);
    case RandOp::invert:
      return invert(image);
    case RandOp::rotate:
      return rotate(image, argument);
    case RandOp::posterize:
      return posterize(image, static_cast<int>(argument));
    case RandOp::solarize:
      return solarize(image, static_cast<int>(argument));
    case RandOp::solarize_add:
      return solarize_add(image, static_cast<int>(argument));
    case RandOp::color:
      return enhance_color(image, factor);
    case RandOp::contrast:
      return enhance_contrast(image, factor);
    case RandOp::brightness:
      return enhance_brightness(image, factor);
    case RandOp::sharpness:
      return enhance_sharpness(image, factor);
    case RandOp::shear_x:
      return affine(image, {.b = argument});
    case RandOp::shear_y:
      return affine(image, {.d = argument});
    case RandOp::translate_x:
      return affine(image, {.c = argument * image.width});
    case RandOp::translate_y:
      return affine(image, {.f = argument * image.height});
  }
  throw InternalError("an operation that RandAugment does not know");
}

}  // namespace grimace
