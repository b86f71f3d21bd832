#include "tools/finetune_data.h"

#include "runtime/log.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

// A list of numbers may lack the last classes; a list of names must have as many as are asked for.
LabelledClips label_by_count(ListFile list, int64_t classes) {
  LabelledClips found = label_clips(list);
  if (std::ssize(found.classes) == classes) return found;
  check(found.classes == numbered_classes(std::ssize(found.classes)), list.file.string(),
        ": its labels name ", found.classes.size(), " classes, but the model has ", classes,
        "; name them all: --classes a,b,...");
  return label_clips(std::move(list), numbered_classes(classes));
}

FrameConfig frame_config(const Recipe& recipe) {
  return {.frames = static_cast<int>(recipe.model.frames),
          .sampling_rate = static_cast<int>(recipe.data.sampling_rate),
          .image_size = static_cast<int>(recipe.model.image)};
}

AugmentConfig augment_config(const Recipe& recipe) {
  AugmentConfig config{.aa = std::nullopt, .crop_area = {1, 1}, .flip = 0, .reprob = 0};
  if (recipe.data.no_augmentation) return config;
  const Recipe::Augment& a = recipe.augment;
  if (a.aa != "none") config.aa = parse_rand_augment(a.aa);
  config.crop_area = a.crop_area;
  config.flip = a.flip;
  config.reprob = a.reprob;
  config.recount = static_cast<int>(a.recount);
  return config;
}

// What both kinds of data set have.
template <typename Config>
void set_common(Config& config, const Recipe& recipe) {
  config.clip = frame_config(recipe);
  config.batch_size = static_cast<int>(recipe.optim.batch_size);
  config.seed = static_cast<uint64_t>(recipe.run.seed);
  config.loading = loading_config(recipe);
}

}  // namespace

LabelledClips labelled_clips(const Recipe& recipe, const std::string& file) {
  ListOptions options{.append_mp4 = false};
  if (!recipe.data.root.empty()) options.root = recipe.data.root;
  ListFile list = read_list(file, options);
  LabelledClips clips = recipe.data.classes.empty() && recipe.model.classes > 0
                            ? label_by_count(std::move(list), recipe.model.classes)
                            : label_clips(std::move(list), recipe.data.classes);
  if (clips.unlabelled > 0)
    inform(cat(file, ": ", clips.unlabelled, " clips without a label are left out"));
  return clips;
}

ClipConfig clip_check_config(const Recipe& recipe) {
  const FrameConfig frames = frame_config(recipe);
  return {.frames = frames.frames,
          .sampling_rate = frames.sampling_rate,
          .image_size = frames.image_size,
          .one_size = false};
}

std::unique_ptr<FinetuneDataset> finetune_batches(const Recipe& recipe, LabelledClips clips) {
  FinetuneDataConfig config;
  set_common(config, recipe);
  config.augment = augment_config(recipe);
  config.mixup = mixup_config(recipe);
  config.num_sample = static_cast<int>(recipe.augment.num_sample);
  return std::make_unique<FinetuneDataset>(std::move(clips), config);
}

std::unique_ptr<ViewDataset> views(const Recipe& recipe, LabelledClips clips, Views kind) {
  ViewConfig config;
  set_common(config, recipe);
  config.validation = kind == Views::validation;
  config.test_num_segment = static_cast<int>(recipe.data.test_num_segment);
  config.test_num_crop = static_cast<int>(recipe.data.test_num_crop);
  return std::make_unique<ViewDataset>(std::move(clips), config);
}

}  // namespace grimace
