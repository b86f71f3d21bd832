#include "tools/pretrain_data.h"

#include "runtime/log.h"
#include "tools/recipe_model.h"

namespace grimace {

ListFile training_list(const Recipe& recipe) {
  ListOptions options;
  if (!recipe.data.root.empty()) options.root = recipe.data.root;
  return read_list(recipe.data.list, options);
}

ClipConfig clip_config(const Recipe& recipe, const ListFile& list) {
  ClipConfig config;
  config.frames = static_cast<int>(recipe.model.frames);
  config.sampling_rate = static_cast<int>(recipe.data.sampling_rate);
  config.image_size = static_cast<int>(recipe.model.image);
  config.num_samples = static_cast<int>(recipe.data.num_samples);
  config.augment = !recipe.data.no_augmentation;
  config.voxceleb2 = names_voxceleb2(list.file);
  validate(config);
  return config;
}

std::unique_ptr<BatchSource> training_batches(const Recipe& recipe, ListFile list) {
  PretrainDataConfig config;
  config.clip = clip_config(recipe, list);
  config.mask = mask_config(recipe);
  config.batch_size = static_cast<int>(recipe.optim.batch_size);
  config.seed = static_cast<uint64_t>(recipe.run.seed);
  config.loading = loading_config(recipe);
  return std::make_unique<PretrainDataset>(std::move(list), config);
}

}  // namespace grimace
