#include "tools/random_step.h"

#include <algorithm>

#include "ir/philox.h"
#include "models/parameters.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

// Bytes of any value, or normalised pixels.
Tensor random_video(const TensorType& type) {
  PhiloxStream random(0, stream_id("video"));
  Tensor video(type);
  if (type.dtype == DType::u8)
    draw_repeating<uint8_t>(video.as<uint8_t>(),
                            [&] { return static_cast<uint8_t>(random.below(256)); });
  else
    draw_repeating<float>(video.as<float>(), [&] { return static_cast<float>(random.normal()); });
  return video;
}

Tensor random_masks(const Recipe& recipe, const Shape& shape) {
  const MaskGenerator generator(mask_config(recipe));
  PhiloxStream random(0, stream_id("mask"));
  std::vector<uint8_t> masks;
  for (int64_t clip = 0; clip < shape[0]; ++clip) {
    const std::vector<uint8_t> mask = generator.draw(random);
    masks.insert(masks.end(), mask.begin(), mask.end());
  }
  return Tensor::from<uint8_t>(shape, masks);
}

Tensor some_labels(const Recipe& recipe, const Shape& shape) {
  const int64_t classes = model_config(recipe).classes;
  std::vector<int32_t> labels;
  for (int64_t clip = 0; clip < shape[0]; ++clip)
    labels.push_back(static_cast<int32_t>(clip % classes));
  return Tensor::from<int32_t>(shape, labels);
}

// Every class as likely as the others.
Tensor even_targets(const Shape& shape) {
  Tensor targets(DType::f32, shape);
  std::ranges::fill(targets.as<float>(), 1.0f / static_cast<float>(shape[1]));
  return targets;
}

Tensor random_input(const Recipe& recipe, const Value& input) {
  if (input.name() == "video") return random_video(input.type());
  if (input.name() == "mask") return random_masks(recipe, input.shape());
  if (input.name() == "labels") return some_labels(recipe, input.shape());
  if (input.name() == "targets") return even_targets(input.shape());
  for (const auto& [name, value] : {std::pair{"lr", 1e-4f},
                                    {"weight_decay", 0.05f},
                                    {"random.seed", 0.0f},
                                    {"random.step", 0.0f}})
    if (input.name() == name) return Tensor::from<float>({}, std::span(&value, 1));
  throw InternalError(cat("no random values are known for the input '", input.name(), "'"));
}

}  // namespace

void write_random_step(Executable& step, const Recipe& recipe) {
  const ModelConfig config = model_config(recipe);
  for (const ParamSpec& spec : is_classifier(recipe.model.name) ? classifier_parameters(config)
                                                                : pretrain_parameters(config)) {
    if (!spec.alias_of.empty()) continue;
    Tensor values(DType::f32, spec.shape);
    initialise(spec, 0, values.as<float>());
    step.write(spec.name, values.view());
  }
  for (const Value& input : step.graph().inputs(Role::input))
    step.write(input.name(), random_input(recipe, input).view());
}

}  // namespace grimace
